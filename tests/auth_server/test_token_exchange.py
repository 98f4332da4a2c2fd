"""Token exchange, rule for rule: RULES 1-34; RFC 8693. Steps 3 and 4 of the documented flow."""

from dataclasses import dataclass

import pytest

from delegation.signing_key import SigningKey
from delegation.token_exchange import ACCESS_TOKEN_TYPE
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


@dataclass(frozen=True)
class Parties:
    """One of each kind of token, all of them good for what they are for."""

    server: AuthServer
    customer: str
    subject_token: str
    actor_token: str
    app_token: str
    issuer_token: str
    id_token: str

    def delegation_token(self) -> str:
        token: str = self.server.exchange(self.subject_token, self.actor_token).json()["access_token"]
        return token


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


@pytest.fixture(scope="module")
def parties(server: AuthServer) -> Parties:
    """An exchange uses none of its tokens up (RULE 11), so that all tests here can share them."""
    customer = server.new_customer()
    tokens = server.sign_on(customer, allow=f"{BALANCE} {TRANSACTIONS}")
    return Parties(
        server,
        customer,
        tokens.token_for(AGENT),
        server.actor_token(),
        tokens.token_for(ACCOUNT_API),
        tokens.token_for(ISSUER),
        tokens.first["id_token"],
    )


def test_the_delegation_token_is_the_designs_claim_for_claim(parties: Parties) -> None:
    response = parties.server.exchange(parties.subject_token, parties.actor_token)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    token = body.pop("access_token")
    assert body == {
        "issued_token_type": ACCESS_TOKEN_TYPE,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": BALANCE,
    }
    [published] = parties.server.http.get("/jwks").json()["keys"]
    assert header(token) == {"typ": "at+jwt", "alg": "ES256", "kid": published["kid"]}
    content = claims(token)
    assert content.pop("jti")
    assert content == {
        "iss": ISSUER,
        "aud": ACCOUNT_API,
        "sub": parties.customer,
        "act": {"sub": AGENT},
        "client_id": AGENT,
        "scope": BALANCE,
        "iat": NOW,
        "exp": NOW + 300,
    }


def test_the_scope_is_what_subject_agent_and_request_have_in_common(parties: Parties) -> None:
    asked = f"{BALANCE} {TRANSFER} openid"
    body = parties.server.exchange(parties.subject_token, parties.actor_token, scope=asked).json()
    assert body["scope"] == claims(body["access_token"])["scope"] == BALANCE


def test_an_actor_token_of_less_scope_narrows_the_delegation(parties: Parties) -> None:
    narrow = parties.server.agent.token(grant_type="client_credentials", scope=TRANSACTIONS).json()
    asked = f"{BALANCE} {TRANSACTIONS}"
    body = parties.server.exchange(parties.subject_token, narrow["access_token"], scope=asked).json()
    assert body["scope"] == TRANSACTIONS


def test_the_target_may_be_named_by_audience(parties: Parties) -> None:
    body = parties.server.exchange(
        parties.subject_token, parties.actor_token, resource=None, audience=ACCOUNT_API
    ).json()
    assert claims(body["access_token"])["aud"] == ACCOUNT_API


@pytest.mark.parametrize("address", ["http://localhost:8503", "http://localhost:8503/mcp"])
def test_the_target_may_be_named_by_the_address_in_its_metadata(parties: Parties, address: str) -> None:
    response = parties.server.exchange(parties.subject_token, parties.actor_token, resource=address)
    assert claims(response.json()["access_token"])["aud"] == ACCOUNT_API


def test_the_same_target_by_resource_and_audience_is_one_target(parties: Parties) -> None:
    response = parties.server.exchange(parties.subject_token, parties.actor_token, audience=ACCOUNT_API)
    assert claims(response.json()["access_token"])["aud"] == ACCOUNT_API


def test_an_exchange_uses_none_of_its_tokens_up(parties: Parties) -> None:
    first, second = parties.delegation_token(), parties.delegation_token()
    assert claims(first)["jti"] != claims(second)["jti"]
    for token in (parties.subject_token, parties.actor_token):
        assert parties.server.agent.introspect(token)["active"]


def test_parameters_set_no_claims(parties: Parties) -> None:
    response = parties.server.exchange(
        parties.subject_token,
        parties.actor_token,
        sub="maria@example.com",
        act='{"sub":"somebody"}',
        may_act="somebody",
        aud="https://elsewhere.example",
        exp="99999999999",
    )
    content = claims(response.json()["access_token"])
    assert content["sub"] == parties.customer
    assert content["act"] == {"sub": AGENT}
    assert content["exp"] == NOW + 300
    assert "may_act" not in content


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"subject_token": None}, "invalid_request", id="no subject token"),
        pytest.param({"subject_token_type": None}, "invalid_request", id="no type of the subject token"),
        pytest.param({"actor_token": None}, "invalid_request", id="an actor token type without the token"),
        pytest.param({"actor_token_type": None}, "invalid_request", id="an actor token without its type"),
        pytest.param(
            {"actor_token": None, "actor_token_type": None}, "invalid_request", id="no actor at all"
        ),
        pytest.param({"actor_token": ""}, "invalid_request", id="an empty actor token"),
        pytest.param(
            {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
            "invalid_request",
            id="a declared type that is not the token's",
        ),
        pytest.param(
            {"actor_token_type": "urn:ietf:params:oauth:token-type:jwt"},
            "invalid_request",
            id="another type of the actor token",
        ),
        pytest.param(
            {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
            "invalid_request",
            id="a wish for a refresh token",
        ),
        pytest.param({"resource": None}, "invalid_target", id="no target"),
        pytest.param({"resource": [ACCOUNT_API, ISSUER]}, "invalid_target", id="two targets"),
        pytest.param({"audience": ISSUER}, "invalid_target", id="a resource and another audience"),
        pytest.param({"resource": "https://elsewhere.example"}, "invalid_target", id="an unknown target"),
        pytest.param(
            {"resource": "http://localhost:8503/mcp/"},
            "invalid_target",
            id="another address",
        ),
        pytest.param(
            {"resource": None, "audience": "http://localhost:8503/mcp"},
            "invalid_target",
            id="an address as audience",
        ),
        pytest.param({"resource": ISSUER}, "invalid_target", id="this server as target"),
        pytest.param({"resource": AGENT}, "invalid_target", id="the agent as target"),
        pytest.param({"resource": "accounts"}, "invalid_target", id="a relative resource"),
        pytest.param({"resource": f"{ACCOUNT_API}#"}, "invalid_target", id="a resource with a fragment"),
        pytest.param({"resource": "https://[::1"}, "invalid_target", id="a resource that is no URI"),
        pytest.param({"scope": None}, "invalid_scope", id="no scope"),
        pytest.param({"scope": " "}, "invalid_scope", id="an empty scope"),
        pytest.param({"scope": TRANSFER}, "invalid_scope", id="a scope that the customer did not allow"),
        pytest.param({"scope": "openid"}, "invalid_scope", id="a scope of another resource"),
        pytest.param({"scope": "everything"}, "invalid_scope", id="an unknown scope"),
        pytest.param({"scope": 'a"b'}, "invalid_scope", id="a malformed scope"),
    ],
)
def test_an_exchange_is_refused_with(
    parties: Parties, changes: dict[str, str | list[str] | None], error: str
) -> None:
    form = {"subject_token": parties.subject_token, "actor_token": parties.actor_token} | changes
    form.setdefault("actor_token_type", ACCESS_TOKEN_TYPE)
    form.setdefault("subject_token_type", ACCESS_TOKEN_TYPE)
    rest = {"scope": BALANCE, "resource": ACCOUNT_API} | form
    response = parties.server.agent.token(
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange", **rest
    )
    assert refusal(response) == (400, error)


@pytest.mark.parametrize(
    "name",
    ["app_token", "issuer_token", "actor_token", "id_token", "delegation_token", "assertion", "nonsense"],
)
def test_no_subject_token_is(parties: Parties, name: str) -> None:
    """Made for another audience, for the agent itself (RULE 24), or no access token (RULES 6, 22, 23)."""
    token = other_token(parties, name)
    response = parties.server.exchange(token, parties.actor_token)
    assert refusal(response) == (400, "invalid_request")


@pytest.mark.parametrize(
    "name",
    ["app_token", "issuer_token", "subject_token", "id_token", "delegation_token", "assertion", "nonsense"],
)
def test_no_actor_token_is(parties: Parties, name: str) -> None:
    """Another audience's, a customer's, a client assertion (RULE 47), or one under which somebody acts."""
    token = other_token(parties, name)
    response = parties.server.exchange(parties.subject_token, token)
    assert refusal(response) == (400, "invalid_request")


def other_token(parties: Parties, name: str) -> str:
    if name == "delegation_token":
        return parties.delegation_token()
    if name == "assertion":
        return parties.server.agent.assertion()
    return str(getattr(parties, name, name))


def test_subject_and_actor_swapped_are_refused(parties: Parties) -> None:
    response = parties.server.exchange(parties.actor_token, parties.subject_token)
    assert refusal(response) == (400, "invalid_request")


def test_a_token_of_another_issuer_is_refused(parties: Parties) -> None:
    content = claims(parties.subject_token)
    foreign = SigningKey.generate().sign(content, "at+jwt")
    assert refusal(parties.server.exchange(foreign, parties.actor_token)) == (400, "invalid_request")


def test_a_token_changed_on_its_way_is_refused(parties: Parties) -> None:
    head, _, signature = parties.subject_token.split(".")
    other = parties.issuer_token.split(".")[1]
    response = parties.server.exchange(f"{head}.{other}.{signature}", parties.actor_token)
    assert refusal(response) == (400, "invalid_request")


def test_an_exchange_without_client_authentication_is_invalid_client(parties: Parties) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "client_id": AGENT,
        "subject_token": parties.subject_token,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "actor_token": parties.actor_token,
        "actor_token_type": ACCESS_TOKEN_TYPE,
        "resource": ACCOUNT_API,
        "scope": BALANCE,
    }
    assert refusal(parties.server.http.post("/token", data=form)) == (401, "invalid_client")


def test_the_banking_app_cannot_exchange(parties: Parties) -> None:
    response = parties.server.app.token(
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=parties.subject_token,
        subject_token_type=ACCESS_TOKEN_TYPE,
        actor_token=parties.actor_token,
        actor_token_type=ACCESS_TOKEN_TYPE,
        resource=ACCOUNT_API,
        scope=BALANCE,
    )
    assert refusal(response) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    "name", ["subject_token", "actor_token", "scope", "subject_token_type", "grant_type"]
)
def test_a_repeated_parameter_is_invalid_request(parties: Parties, name: str) -> None:
    form = parties.server.agent.credentials() | {name: ["a", "b"]}
    assert refusal(parties.server.http.post("/token", data=form)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "grant_type",
    [
        "urn:ietf:params:oauth:grant-type:Token-Exchange",
        "urn:ietf:params:oauth:grant-type:token-exchange ",
        "token-exchange",
    ],
)
def test_the_grant_type_is_the_exact_name(parties: Parties, grant_type: str) -> None:
    response = parties.server.exchange(parties.subject_token, parties.actor_token, grant_type=grant_type)
    assert refusal(response) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"]
)
def test_an_exchange_that_is_no_form_is_refused(parties: Parties, content_type: str) -> None:
    response = parties.server.http.post("/token", content=b"{}", headers={"content-type": content_type})
    assert refusal(response) == (400, "invalid_request")


def test_parameters_in_the_address_do_not_count(parties: Parties) -> None:
    response = parties.server.http.post("/token?grant_type=client_credentials", data={"x": "y"})
    assert refusal(response) == (400, "unsupported_grant_type")
