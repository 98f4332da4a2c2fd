"""What an exchange spares: its inputs, a refresh token, claims set by the caller (RFC 8693 §2.1, §2.2.1)."""

import json
from typing import Any, Final

from tests.e2e.authorization_server import OTHER_AGENT, issued
from tests.e2e.check import check
from tests.e2e.checks.exchange_request import REFRESH_TOKEN_TYPE
from tests.e2e.jws import claims_of
from tests.e2e.oauth_client import changed
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer

_ACTOR: Final = json.dumps({"sub": OTHER_AGENT})
FORGED: Final = {
    "sub": "somebody-else@example.com",
    "act": _ACTOR,
    "may_act": _ACTOR,
    "aud": "https://elsewhere.example.net",
}


@check("TX-11")
def inputs_stay_valid(target: Target) -> None:
    """Exchange one pair of tokens twice, and introspect both afterwards where that is offered.

    The subject token is of a sign-on of its own, if the suite signs on, and holds the exchange's scope alone.
    """
    server, expect = target.authorization_server, target.expect
    tokens = {"subject_token": server.subject_token()}
    subject, scope = target.file.subject_token, server.exchange_section.scope
    if subject and subject.source == "sign_on":
        tokens["subject_token"] = server.app.sign_on().token_for(subject.resource, scope)
    if target.file.actor_token:
        tokens["actor_token"] = server.actor_token()
    expect.accepted(server.exchange(**tokens), "the first exchange")
    expect.accepted(server.exchange(**tokens), "a second exchange of the same tokens")
    if "introspection" in target.file.not_offered:
        return
    clients = {"subject_token": server.clients.get("app"), "actor_token": server.agent}
    for name, token in tokens.items():
        states = [server.introspect(token, one).json().get("active") for one in (clients[name], server.agent)]
        expect.that(f"the {name}", "to be active after the exchange", "active: false", holds=True in states)


@check("TX-33")
def no_refresh_token(target: Target) -> None:
    """Look for a refresh token in the legitimate answer; ask for one by type, then by scope."""
    server, expect = target.authorization_server, target.expect
    answer = server.exchange()
    expect.accepted(answer, "the legitimate exchange")
    _without_refresh_token(target, answer, "the legitimate exchange")
    answer = server.exchange(requested_token_type=REFRESH_TOKEN_TYPE)
    expect.refused(answer, "the requested_token_type refresh_token")
    answer = server.exchange(scope=f"{server.exchange_section.scope} offline_access".strip())
    _without_refresh_token(target, answer, "an exchange for scope offline_access")


def _without_refresh_token(target: Target, answer: Answer, what: str) -> None:
    holds = "refresh_token" not in answer.json() and answer.status < 500
    target.expect.that(what, "to yield no refresh token", answer, holds=holds)


@check("TX-34")
def parameters_set_no_claims(target: Target) -> None:
    """Add a parameter for each claim to the legitimate exchange; send another client_id with its credentials.

    A server may refuse these, or ignore what it does not know; the claims must not follow them.
    """
    server = target.authorization_server
    right = claims_of(server.delegation_token())
    if not right:
        raise NotRun("It takes delegation tokens that can be read: not_offered.jwt_access_token.")
    for name, value in FORGED.items():
        _claim_is_unmoved(target, server.exchange(**{name: value}), name, right.get(name))
    parameters, headers = server.agent.credentials()
    form = changed([*server.exchange_form(), *parameters], client_id=OTHER_AGENT)
    answer = target.wire.post_form(server.endpoint("token_endpoint"), form, headers)
    _claim_is_unmoved(target, answer, "client_id", right.get("client_id"))


def _claim_is_unmoved(target: Target, answer: Answer, name: str, right: Any) -> None:
    if not answer.is_success:
        target.expect.refused(answer, f"an exchange with the parameter {name}")
        return
    found = claims_of(issued(answer, "an accepted exchange")).get(name)
    what = f"the claim {name}, with a parameter {name},"
    target.expect.that(what, f"to stay {right}", found, holds=found == right)
