"""What introspection says, and to whom (RFC 7662, RFC 8693 §4.1, §4.4)."""

from typing import Any, Final

from tests.e2e.check import check
from tests.e2e.checks.client_authentication import failed_authentication, impostors
from tests.e2e.checks.revocation import is_active
from tests.e2e.jws import KeyPair, claims_of, header_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

_GARBAGE: Final = "no-token-at-all"


@check("LC-72")
def introspection_is_authenticated(target: Target) -> None:
    """Introspect a good token without authentication and with wrong ones; then, as the agent, bad tokens.

    Which error refuses a caller is left open: an endpoint may want another kind of authorization (RFC 7662
    §2.1). Bad tokens must be answered active: false, and not with an error (§2.2).
    """
    server, expect = target.authorization_server, target.expect
    good = server.delegation_token()
    answer = server.post("introspection_endpoint", [("token", good)], None)
    expect.refused(answer, "introspection without authentication", (), (400, 401))
    for what, client in impostors(server.agent).items():
        what = f"introspection {what}"
        expect.refused(server.introspect(good, client), what, (), failed_authentication(client))
    for what, token in _inactive(target, good).items():
        answer = server.introspect(token)
        holds = answer.status == 200 and answer.json().get("active") is False
        said = answer.json().get("active", "no active")
        expect.that(what, "to be answered 200, active: false", f"{answer}, {said}", holds=holds)


@check("LC-89")
def of_an_inactive_token_nothing_else_is_said(target: Target) -> None:
    """Introspect a token that is none, one that another key signed, and one that was revoked.

    That they are called inactive is another rule.
    """
    server = target.authorization_server
    for what, token in _inactive(target, server.delegation_token()).items():
        said = server.introspect(token).json()
        told = sorted(said.keys() - {"active"}) if said.get("active") is False else []
        target.expect.that(what, "to be answered with active alone", ", ".join(told), holds=not told)


def _inactive(target: Target, good: str) -> dict[str, str]:
    """Return tokens that are not active: what is none, and a good one, forged or revoked.

    The latter two only if the good one is active: a server may introspect no tokens of its kind, JWTs say.
    """
    server = target.authorization_server
    tokens = {"what is no token": _GARBAGE}
    if not is_active(target, good):
        return tokens
    if claims_of(good):
        tokens["a token signed by a foreign key"] = KeyPair().sign(header_of(good), claims_of(good))
    if "revocation" not in target.file.not_offered and server.revoke(good).is_success:
        tokens["a token that its client revoked"] = good
    return tokens


@check("LC-73")
def introspection_shows_who_acts(target: Target) -> None:
    """Introspect a delegation token and, where may_act is offered, the subject token of the exchange.

    Both as the agent; the subject token as the app where it is not shown to the agent.
    """
    server, expect = target.authorization_server, target.expect
    token = server.delegation_token()
    said = _introspected(target, token, "a delegation token")
    act = said.get("act", "no act")
    names_agent = isinstance(act, dict) and bool(act.get("sub"))
    expect.that("act of a delegation token", "to name the actor", act, holds=names_agent)
    held = claims_of(token).get("act")
    if held is not None:
        expect.that("act of a delegation token", f"to be the token's, {held}", act, holds=act == held)
    if "may_act" not in target.file.not_offered:
        subject_token = server.subject_token()
        may_act = _introspected(target, subject_token, "a subject token").get("may_act", "no may_act")
        held = claims_of(subject_token).get("may_act", may_act)
        holds = isinstance(may_act, dict) and may_act == held
        expect.that("may_act of a subject token", f"to be {held}", may_act, holds=holds)


def _introspected(target: Target, token: str, what: str) -> dict[str, Any]:
    server = target.authorization_server
    for client in (server.agent, server.clients.get("app")):
        said = server.introspect(token, client).json() if client else {}
        if said.get("active") is True:
            return said
    raise NotRun(f"It takes a client to which introspection shows {what}: neither agent nor app sees it.")
