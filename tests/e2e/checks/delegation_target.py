"""For whom a delegation token is good (RFC 8693 §2.1, RFC 9700 §2.3), and that the server itself is none."""

from typing import Any, Final

from tests.e2e.authorization_server import issued
from tests.e2e.check import check
from tests.e2e.checks.minted_tokens import require_sound_minting
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer

FORBIDDEN: Final = "https://not-allowed.example.net"
_PARAMETERS: Final = ("resource", "audience")


@check("TX-28")
def only_allowed_targets(target: Target) -> None:
    """Name targets that no agent may have: a stranger, the server itself, the agent itself.

    Each by `resource`, by `audience`, by both, and in the one that the legitimate target leaves free. Which
    error it is refused with is another rule's.
    """
    server, section = target.authorization_server, target.authorization_server.exchange_section
    free = "audience" if section.target_parameter == "resource" else "resource"
    for forbidden in (FORBIDDEN, server.issuer, server.agent.client_id):
        if forbidden == section.target:
            continue
        named = {
            f"named by {one}": {other: None, one: forbidden}
            for one, other in (_PARAMETERS, reversed(_PARAMETERS))
        }
        named["named by both"] = dict.fromkeys(_PARAMETERS, forbidden)
        if section.target:
            named[f"named by {free} beside the legitimate one"] = {free: forbidden}
        for how, parameters in named.items():
            target.expect.refused(server.exchange(**parameters), f"the target {forbidden} {how}")


@check("TX-29")
def a_delegation_token_has_one_audience(target: Target) -> None:
    """Look at aud of the legitimate token; then name two targets at once, each way that a request can.

    A server may refuse two targets, or issue for one of them.
    """
    server, section = target.authorization_server, target.authorization_server.exchange_section
    _has_one_audience(target, server.exchange(), "the legitimate exchange")
    first = section.target or FORBIDDEN
    for second in (server.issuer, server.agent.client_id, FORBIDDEN):
        two: list[dict[str, str | list[str] | None]] = [
            {"resource": [first, second], "audience": None},
            {"audience": [first, second], "resource": None},
            {"resource": first, "audience": second},
        ]
        for parameters in two:
            answer = server.exchange(**parameters)
            what = f"an exchange for {first} and {second}"
            if answer.is_success:
                _has_one_audience(target, answer, what)
            else:
                target.expect.refused(answer, what)


def _has_one_audience(target: Target, answer: Answer, what: str) -> None:
    aud = claims_of(issued(answer, what)).get("aud")
    audiences = aud if isinstance(aud, list) else [aud]
    holds = len(audiences) == 1 and isinstance(audiences[0], str) and bool(audiences[0])
    target.expect.that(f"aud of the token of {what}", "to name exactly one", aud, holds=holds)


@check("TX-36")
def delegation_tokens_open_no_own_interface(target: Target) -> None:
    """Call each of the server's own interfaces with a delegation token.

    Where the suite mints, also with one whose audience is the server and whose scope is that of a sign-on.
    """
    server = target.authorization_server
    if not server.section.own_interfaces:
        raise NotRun("It takes the addresses of these interfaces: authorization_server.own_interfaces.")
    tokens = {"a delegation token": server.delegation_token()}
    if not target.lacks("minting"):
        require_sound_minting(target)
        tokens["a delegation token for the server itself"] = server.mint_subject_token(
            **_for_the_server(target)
        )
    for url in server.section.own_interfaces:
        for what, token in tokens.items():
            answer = target.wire.get(url, [("Authorization", f"Bearer {token}")])
            target.expect.denied(answer, f"{what} at {url}", (401, 403))


def _for_the_server(target: Target) -> dict[str, Any]:
    server, section = target.authorization_server, target.file.sign_on
    agent = server.agent.client_id
    changes: dict[str, Any] = {
        "aud": server.issuer,
        "client_id": agent,
        "act": {"sub": agent},
        "may_act": None,
    }
    return changes | ({"scope": section.scope} if section else {})
