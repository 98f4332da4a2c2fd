"""Client assertions, each wrong in one way (RFC 7523 §3, draft-ietf-oauth-rfc7523bis)."""

import time
from typing import Any, Final

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.client_authentication import INVALID_CLIENT
from tests.e2e.checks.exchange_request import JWT_TYPE
from tests.e2e.oauth_client import OAuthClient
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer

_OTHER_SERVER: Final = "https://authorization-server.example.net"
_LONG_AGO_SECONDS: Final = 600


@check("AS-44")
def an_assertion_says_who_and_until_when(target: Target) -> None:
    """Authenticate the legitimate exchange with assertions that are right but for iss, sub or exp.

    One about another client contradicts the parameter client_id besides, and may be an invalid_request for
    that (RFC 7521 §4.2).
    """
    agent = _agent_with_key(target)
    app = target.authorization_server.clients.get("app")
    another = app.client_id if app else OTHER_AGENT
    wrong: dict[str, dict[str, Any]] = {
        "issued by another": {"iss": OTHER_AGENT},
        "without iss": {"iss": None},
        "without sub": {"sub": None},
        "without exp": {"exp": None},
        "that has expired": {
            "exp": int(time.time()) - _LONG_AGO_SECONDS,
            "iat": int(time.time()) - 2 * _LONG_AGO_SECONDS,
        },
    }
    for what, changes in wrong.items():
        _is_refused(target, agent, f"an assertion {what}", **changes)
    foreign = agent.with_assertion(lambda: agent.assertion_with(sub=another))
    answer = target.authorization_server.exchange(foreign)
    codes = (INVALID_CLIENT, "invalid_request")
    target.expect.refused(answer, "an assertion about another client", codes, (400, 401))


@check("AS-45")
def an_assertion_is_made_for_this_server(target: Target) -> None:
    """Send assertions for another server, for one whose name begins like this one's, and for nobody."""
    agent, issuer = _agent_with_key(target), target.authorization_server.issuer
    audiences = {
        "for another server": _OTHER_SERVER,
        "for a server whose identifier begins with this one's": f"{issuer}.example.net",
        "without an audience": None,
    }
    for what, aud in audiences.items():
        _is_refused(target, agent, f"an assertion {what}", aud=aud)


@check("AS-86")
def the_issuer_is_an_assertions_only_audience(target: Target) -> None:
    """Send an assertion for the issuer, which is good, then for the token endpoint's address, and for two.

    A list that holds the issuer alone is not sent: it has one audience too.
    """
    server, agent = target.authorization_server, _agent_with_key(target)
    good = server.exchange(agent.with_assertion(lambda: agent.assertion_with(aud=server.issuer)))
    target.expect.accepted(good, "an assertion for the issuer")
    endpoint = server.endpoint("token_endpoint")
    audiences: dict[str, str | list[str]] = {
        "for the issuer and another server": [server.issuer, _OTHER_SERVER],
        "for the issuer and the token endpoint": [server.issuer, endpoint],
    }
    if endpoint != server.issuer:
        audiences["for the token endpoint"] = endpoint
    for what, aud in audiences.items():
        _is_refused(target, agent, f"an assertion {what}", aud=aud)


@check("AS-46")
def an_assertion_is_good_once(target: Target) -> None:
    """Authenticate two exchanges with one assertion, then introspection, if it is offered."""
    server, agent = target.authorization_server, _agent_with_key(target)
    assertion = agent.signed_assertion()
    used = agent.with_assertion(lambda: assertion)
    target.expect.accepted(server.exchange(used), "the first exchange with an assertion")
    _refused(target, server.exchange(used), "an assertion that was used before")
    if "introspection" not in target.file.not_offered:
        answer = server.introspect(server.subject_token(), used)
        _refused(target, answer, "an assertion for introspection that was used at the token endpoint")


@check("AS-47")
def an_assertion_is_no_token(target: Target) -> None:
    """Send unused assertions as actor and as subject token, declared as an access token and as a JWT."""
    server, agent = target.authorization_server, _agent_with_key(target)
    sections = {"subject_token": target.file.subject_token, "actor_token": target.file.actor_token}
    for name, section in sections.items():
        if section is None:
            continue
        for kind in dict.fromkeys((section.type, JWT_TYPE)):
            answer = server.exchange(**{name: agent.signed_assertion(), f"{name}_type": kind})
            what = f"a client assertion as {name} of type {kind}"
            target.expect.refused(answer, what, "invalid_request")


def _agent_with_key(target: Target) -> OAuthClient:
    agent = target.authorization_server.agent
    if agent.key is None:
        raise NotRun(
            "It takes an agent that authenticates with a key: clients.agent.authentication = private_key_jwt."
        )
    return agent


def _is_refused(target: Target, agent: OAuthClient, what: str, **changes: Any) -> None:
    wrong = agent.with_assertion(lambda: agent.assertion_with(**changes))
    _refused(target, target.authorization_server.exchange(wrong), what)


def _refused(target: Target, answer: Answer, what: str) -> None:
    target.expect.refused(answer, what, INVALID_CLIENT, (400, 401))
