"""Token introspection: RULES 72, 73; RFC 7662, RFC 8693 §4.1, §4.4."""

from collections.abc import Callable

import pytest

from delegation.signing_key import SigningKey
from tests.auth_server.client import refusal
from tests.auth_server.servers import ACCOUNT_API, AGENT, BALANCE, ISSUER, AuthServer, Tokens, claims

INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


@pytest.fixture(scope="module")
def tokens(server: AuthServer) -> Tokens:
    return server.sign_on(server.new_customer())


def test_a_delegation_token_is_shown_to_its_agent_with_act(server: AuthServer, tokens: Tokens) -> None:
    token = server.exchange(tokens.token_for(AGENT)).json()["access_token"]
    shown = server.agent.introspect(token)
    assert shown == {"active": True, "token_type": "Bearer"} | claims(token)
    assert shown["act"] == {"sub": AGENT}


def test_a_subject_token_is_shown_with_may_act(server: AuthServer, tokens: Tokens) -> None:
    token = tokens.token_for(AGENT)
    for client in (server.app, server.agent):
        assert client.introspect(token) == {"active": True, "token_type": "Bearer"} | claims(token)


def test_an_app_token_is_shown_to_the_app_only(server: AuthServer, tokens: Tokens) -> None:
    token = tokens.token_for(ACCOUNT_API)
    assert server.app.introspect(token)["active"]
    assert server.agent.introspect(token) == INACTIVE


def test_an_agents_tokens_are_not_shown_to_the_app(server: AuthServer, tokens: Tokens) -> None:
    actor_token = server.actor_token()
    delegation = server.exchange(tokens.token_for(AGENT), actor_token).json()["access_token"]
    assert server.agent.introspect(actor_token)["active"]
    assert server.app.introspect(actor_token) == INACTIVE
    assert server.app.introspect(delegation) == INACTIVE


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda tokens: "nonsense", id="nonsense"),
        pytest.param(lambda tokens: tokens.refresh_token, id="a refresh token"),
        pytest.param(lambda tokens: tokens.first["id_token"], id="an ID token"),
        pytest.param(
            lambda tokens: SigningKey.generate().sign(claims(tokens.first["access_token"]), "at+jwt"),
            id="another issuer's token",
        ),
        pytest.param(lambda tokens: tokens.first["access_token"][:-4] + "AAAA", id="a changed signature"),
        pytest.param(lambda tokens: "x" * 20_000, id="an endless token"),
    ],
)
def test_all_that_is_said_is_inactive_of(
    server: AuthServer, tokens: Tokens, token: Callable[[Tokens], str]
) -> None:
    assert server.app.introspect(token(tokens)) == INACTIVE


def test_an_expired_token_is_inactive(own_server: AuthServer) -> None:
    token = own_server.sign_on(own_server.new_customer()).token_for(ISSUER)
    own_server.clock.forward(minutes=5)
    assert own_server.app.introspect(token) == INACTIVE


def test_introspection_of_no_token_is_invalid_request(server: AuthServer) -> None:
    assert refusal(server.app.post("/introspect", {})) == (400, "invalid_request")


def test_introspection_is_never_kept(server: AuthServer, tokens: Tokens) -> None:
    response = server.app.post("/introspect", {"token": tokens.first["access_token"]})
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["scope"].split()[0] == BALANCE
