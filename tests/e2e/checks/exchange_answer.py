"""What a successful exchange answers, and what the issued token says of its request (RFC 8693 §2.2.1, §4)."""

import re
from typing import Any, Final

from tests.e2e.authorization_server import issued
from tests.e2e.check import check
from tests.e2e.jws import claims_of, header_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer

_EXCHANGE: Final = "the legitimate exchange"


@check("TX-08")
def the_answer_is_complete(target: Target) -> None:
    """Look at the answer of the legitimate exchange: status, media type, and the three members."""
    answer, expect = target.authorization_server.exchange(), target.expect
    expect.that(_EXCHANGE, "to be answered 200", answer, holds=answer.status == 200)
    media_type = answer.headers.get("Content-Type", "none").partition(";")[0].strip().lower()
    expect.that("the answer's media type", "to be application/json", media_type, holds=_is_json(media_type))
    for name in ("access_token", "issued_token_type", "token_type"):
        value = answer.json().get(name)
        shown = f"no {name}" if value is None else f"{name} of type {type(value).__name__}, or empty"
        expect.that(f"{name} of the answer", "to be a string", shown, holds=bool(_text(value)))
    kind = answer.json()["issued_token_type"]
    expect.that("issued_token_type", "to be a URI (RFC 8693 §3)", kind, holds=":" in kind)


def _is_json(media_type: str) -> bool:
    return media_type == "application/json"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@check("TX-09")
def a_scope_that_differs_is_said(target: Target) -> None:
    """Ask for a scope that is withheld besides the legitimate one; then for no scope at all.

    A server that refuses rather than narrows, or that insists on a scope, keeps the rule. One that grants
    what the target file says is withheld keeps this rule too: another one judges that.
    """
    section = target.authorization_server.exchange_section
    if not section.withheld_scope:
        raise NotRun("It takes a scope that the subject token does not hold: exchange.withheld_scope.")
    wider = f"{section.scope} {section.withheld_scope}".strip()
    for requested in (wider, None):
        answer = target.authorization_server.exchange(scope=requested)
        if answer.is_success:
            _said_what_is_held(target, answer, set((requested or "").split()))
        else:
            target.expect.refused(answer, f"an exchange for scope {requested}, which is not granted,")


def _said_what_is_held(target: Target, answer: Answer, requested: set[str]) -> None:
    token = issued(answer, "an accepted exchange")
    held = _scope_of(target, token)
    said = answer.json().get("scope")
    asked = " ".join(sorted(requested)) or "none"
    if said is None and held is None:
        raise NotRun(f"The token does not show its scope (asked for: {asked}), and is not introspected.")
    if said is None:
        fact = f"no scope in the answer, and {' '.join(sorted(held or ())) or 'none'} in the token"
        target.expect.that(f"scope, asked for {asked},", "to be said", fact, holds=held == requested)
    elif held is not None:
        target.expect.that("the scope that is said", "to be the token's", said, holds=_is_held(said, held))


def _is_held(said: Any, held: set[str]) -> bool:
    return isinstance(said, str | list) and _values(said) == held


def _scope_of(target: Target, token: str) -> set[str] | None:
    scope = claims_of(token).get("scope")
    if scope is None and "introspection" not in target.file.not_offered:
        scope = target.authorization_server.introspect(token).json().get("scope")
    return None if scope is None else _values(scope)


def _values(scope: Any) -> set[str]:
    return set(map(str, scope)) if isinstance(scope, list) else set(str(scope).split())


@check("TX-15")
def scope_is_one_string(target: Target) -> None:
    """Ask for two scopes, or for the one there is; look at scope in the token and in the answer.

    A token without the claim (RFC 8693 §4.2 does not demand it) cannot be judged.
    """
    section, expect = target.authorization_server.exchange_section, target.expect
    requested = f"{section.scope} {section.second_scope}".split()
    answer = target.authorization_server.exchange(scope=" ".join(requested) or None)
    claims = claims_of(issued(answer, f"an exchange for scope {' '.join(requested)}"))
    found = {"the token": claims.get("scope"), "the answer": answer.json().get("scope")}
    if found["the token"] is None:
        raise NotRun("It takes tokens with a scope claim; those without say so: not_offered.scope.")
    for where, scope in found.items():
        if scope is None:
            continue
        expect.that(f"scope of {where}", "to be a string", scope, holds=isinstance(scope, str))
        ok = all(name in scope.split(" ") for name in requested if name in re.split(r"[\s,;]+", scope))
        expect.that(f"scope of {where}", "to be values separated by spaces", scope, holds=ok)


@check("TX-16")
def client_id_is_the_client_that_asked(target: Target) -> None:
    """Compare client_id of the issued token with the agent's.

    Only an at+jwt must have the claim (RFC 9068 §2.2); of another token without it nothing can be said.
    """
    server = target.authorization_server
    token = server.delegation_token()
    client_id = claims_of(token).get("client_id", "no client_id")
    if client_id == "no client_id" and "at+jwt" not in str(header_of(token).get("typ")).lower():
        raise NotRun("It takes tokens with a client_id; RFC 9068 is not what these keep to.")
    agent = server.agent.client_id
    target.expect.that("client_id of the token", f"to be {agent}", client_id, holds=client_id == agent)
