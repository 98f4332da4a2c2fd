"""The agent's actor token, by client credentials: the design's table of tokens; RFC 6749 §4.4."""

import pytest

from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    TRANSACTIONS,
    TRANSFER,
    AuthServer,
    claims,
    header,
)
from tests.clock import NOON

NOW = int(NOON.timestamp())


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


def test_the_actor_token_is_the_designs_claim_for_claim(server: AuthServer) -> None:
    response = server.agent.token(grant_type="client_credentials")
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert header(body["access_token"])["typ"] == "at+jwt"
    content = claims(body["access_token"])
    assert content.pop("jti")
    assert content == {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": AGENT,
        "client_id": AGENT,
        "scope": f"{BALANCE} {TRANSACTIONS} {TRANSFER}",
        "iat": NOW,
        "exp": NOW + 300,
    }


def test_an_agent_may_ask_for_less_scope(server: AuthServer) -> None:
    response = server.agent.token(grant_type="client_credentials", scope=BALANCE)
    assert claims(response.json()["access_token"])["scope"] == BALANCE


@pytest.mark.parametrize("scope", ["openid", "grant_management_query", "everything"])
def test_a_scope_that_no_agent_may_have_is_refused(server: AuthServer, scope: str) -> None:
    response = server.agent.token(grant_type="client_credentials", scope=scope)
    assert refusal(response) == (400, "invalid_scope")


def test_an_actor_token_for_another_audience_is_refused(server: AuthServer) -> None:
    response = server.agent.token(grant_type="client_credentials", resource=ACCOUNT_API)
    assert refusal(response) == (400, "invalid_target")
