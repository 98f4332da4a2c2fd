"""Token revocation: RULE 74; RFC 7009."""

import pytest

from tests.auth_server.client import refusal
from tests.auth_server.servers import ACCOUNT_API, AGENT, ISSUER, AuthServer


@pytest.mark.parametrize("token", ["nonsense", "x" * 20_000, "é"])
def test_revoking_an_unknown_token_succeeds(server: AuthServer, token: str) -> None:
    response = server.app.post("/revoke", {"token": token})
    assert (response.status_code, response.json()) == (200, {})


def test_revoking_a_refresh_token_ends_all_that_came_of_the_sign_on(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer)
    access_token = tokens.token_for(ISSUER)
    assert server.app.post("/revoke", {"token": tokens.refresh_token}).status_code == 200
    assert refusal(tokens.refresh()) == (400, "invalid_grant")
    assert server.app.introspect(access_token) == {"active": False}
    own = {"authorization": f"Bearer {access_token}"}
    assert server.http.get("/userinfo", headers=own).status_code == 401


def test_revoking_an_access_token_ends_it_alone(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    one, other = tokens.token_for(ACCOUNT_API), tokens.token_for(ISSUER)
    assert server.app.post("/revoke", {"token": one}).status_code == 200
    assert server.app.introspect(one) == {"active": False}
    assert server.app.introspect(other)["active"]
    assert tokens.refresh().status_code == 200


def test_revoking_twice_succeeds(server: AuthServer, customer: str) -> None:
    token = server.sign_on(customer).first["access_token"]
    for _ in range(2):
        assert server.app.post("/revoke", {"token": token}).status_code == 200


def test_another_clients_token_cannot_be_revoked(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    subject_token = tokens.token_for(AGENT)
    for token in (tokens.refresh_token, tokens.first["access_token"], subject_token):
        assert refusal(server.agent.post("/revoke", {"token": token})) == (400, "unauthorized_client")
    assert server.app.introspect(subject_token)["active"]
    assert tokens.refresh().status_code == 200
    actor_token = server.actor_token()
    assert refusal(server.app.post("/revoke", {"token": actor_token})) == (400, "unauthorized_client")
    assert server.agent.introspect(actor_token)["active"]


def test_an_agent_can_end_its_own_tokens(server: AuthServer, customer: str) -> None:
    delegation = server.exchange(server.sign_on(customer).token_for(AGENT)).json()["access_token"]
    assert server.agent.post("/revoke", {"token": delegation}).status_code == 200
    assert server.agent.introspect(delegation) == {"active": False}


def test_revoking_no_token_is_invalid_request(server: AuthServer) -> None:
    assert refusal(server.app.post("/revoke", {})) == (400, "invalid_request")
