"""Client authentication by `private_key_jwt`: RULES 37, 38, 44-47; RFC 7523 §3, rfc7523bis §4."""

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from delegation.signing_key import SigningKey
from delegation.token_exchange import GRANT_TYPE as TOKEN_EXCHANGE
from tests.auth_server.client import ask, refusal
from tests.auth_server.servers import AGENT, ISSUER, AuthServer, running_server
from tests.clock import NOON, SetClock
from tests.jwks_server import JwksServer, dripping

NOW = int(NOON.timestamp())


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_without_authentication_the_answer_is_invalid_client(server: AuthServer, path: str) -> None:
    form = {"grant_type": "client_credentials", "token": "x"}
    assert refusal(server.http.post(path, data=form)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"client_id": AGENT}, id="only its name"),
        pytest.param({"client_id": AGENT, "client_secret": "secret"}, id="a password"),
        pytest.param({"client_assertion": "e30.e30."}, id="an assertion without its type"),
        pytest.param(
            {"client_assertion": "x", "client_assertion_type": "urn:ietf:params:oauth:saml2"},
            id="another type of assertion",
        ),
    ],
)
def test_a_client_that_sends_less_than_a_signed_assertion_is_refused(
    server: AuthServer, form: dict[str, str]
) -> None:
    response = server.http.post("/token", data={"grant_type": "client_credentials"} | form)
    assert refusal(response) == (401, "invalid_client")


def test_the_basic_scheme_is_refused(server: AuthServer) -> None:
    form = {"grant_type": "client_credentials"}
    response = server.http.post("/token", data=form, auth=(AGENT, "secret"))
    assert refusal(response) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {"authorization": "Basic YTpi"}),
        ({}, {"authorization": "Bearer x"}),
        ({"client_secret": "secret"}, {}),
    ],
)
def test_a_client_that_authenticates_in_two_ways_is_refused(
    server: AuthServer, path: str, form: dict[str, str], headers: dict[str, str]
) -> None:
    fields = {"grant_type": "client_credentials", "token": "x"} | server.agent.credentials() | form
    assert refusal(server.http.post(path, data=fields, headers=headers)) == (400, "invalid_request")


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt"])
def test_an_assertion_is_accepted_with_the_type(server: AuthServer, typ: str) -> None:
    assert ask(server.agent, server.agent.assertion(typ=typ)) == (200, "")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as it should be"),
        pytest.param({"aud": [ISSUER]}, id="a list of one audience"),
        pytest.param({"exp": NOW + 300}, id="five minutes to live"),
        pytest.param({"iat": None}, id="no iat"),
        pytest.param({"nbf": NOW}, id="an nbf"),
    ],
)
def test_an_assertion_is_accepted_that_has(server: AuthServer, changes: dict[str, Any]) -> None:
    assert ask(server.agent, server.agent.assertion(**changes)) == (200, "")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "banking-app"}, id="another issuer than subject"),
        pytest.param({"iss": None}, id="no issuer"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"sub": "nobody", "iss": "nobody"}, id="an unknown client"),
        pytest.param({"sub": [AGENT]}, id="a list for a subject"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"aud": f"{ISSUER}/token"}, id="the token endpoint as audience"),
        pytest.param({"aud": f"{ISSUER}/"}, id="the issuer with a slash"),
        pytest.param({"aud": [ISSUER, "https://elsewhere.example"]}, id="another audience beside ours"),
        pytest.param({"aud": []}, id="no audience in the list"),
        pytest.param({"aud": {"iss": ISSUER}}, id="an object for an audience"),
        pytest.param({"exp": None}, id="no expiry"),
        pytest.param({"exp": NOW}, id="an expiry that has passed"),
        pytest.param({"exp": NOW + 301}, id="an expiry far away"),
        pytest.param({"exp": "soon"}, id="an expiry that is no number"),
        pytest.param({"exp": True}, id="an expiry that is true"),
        pytest.param({"exp": float("nan")}, id="an expiry that is not a number"),
        pytest.param({"exp": 1e300}, id="an expiry beyond time"),
        pytest.param({"nbf": NOW + 60}, id="an nbf to come"),
        pytest.param({"jti": None}, id="no jti"),
        pytest.param({"jti": ""}, id="an empty jti"),
        pytest.param({"jti": 7}, id="a number for a jti"),
        pytest.param({"jti": "j" * 257}, id="an endless jti"),
        pytest.param({"jti": "\ud800x"}, id="half a letter in the jti"),
        pytest.param({"jti": "é"}, id="a letter that is not ASCII in the jti"),
        pytest.param({"jti": "a\x00b"}, id="a NUL in the jti"),
        pytest.param({"typ": "at+jwt"}, id="the type of an access token"),
    ],
)
def test_an_assertion_is_refused_that_has(server: AuthServer, changes: dict[str, Any]) -> None:
    assert ask(server.agent, server.agent.assertion(**changes)) == (401, "invalid_client")


@pytest.mark.parametrize("grant_type", ["client_credentials", TOKEN_EXCHANGE])
@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param("\ud800", id="half a letter"),
        pytest.param("a\0b", id="a NUL"),
        pytest.param("é", id="a letter that is not ASCII"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_assertion_is_refused_whose_client_cannot_be_one(
    postgresql_server: AuthServer, client_id: str, grant_type: str
) -> None:
    agent = postgresql_server.agent
    form = agent.credentials(agent.assertion(iss=client_id, sub=client_id)) | {"grant_type": grant_type}
    assert refusal(postgresql_server.http.post("/token", data=form)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "assertion",
    [
        pytest.param("nonsense", id="nonsense"),
        pytest.param("e30.e30.", id="an empty header"),
        pytest.param("W10.e30.", id="a list for a header"),
        pytest.param("eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.e30.", id="the algorithm none"),
        pytest.param("é.é.é", id="letters that are not ASCII"),
        pytest.param("a" * 5000, id="far too many letters"),
        pytest.param("W1tb" * 1000 + ".e30.", id="brackets without end"),
    ],
)
def test_an_assertion_is_refused_that_is(server: AuthServer, assertion: str) -> None:
    assert ask(server.agent, assertion) == (401, "invalid_client")


def test_an_assertion_with_padding_is_refused(server: AuthServer) -> None:
    assert ask(server.agent, f"{server.agent.assertion()}==") == (401, "invalid_client")


def test_an_assertion_of_another_clients_key_is_refused(server: AuthServer) -> None:
    assert ask(server.agent, server.agent.assertion(key=server.app.key)) == (401, "invalid_client")


def test_an_assertion_of_a_key_that_nobody_publishes_is_refused(server: AuthServer) -> None:
    assert ask(server.agent, server.agent.assertion(key=SigningKey.generate())) == (401, "invalid_client")


def test_a_client_cannot_speak_for_another_one(server: AuthServer) -> None:
    assertion = server.agent.assertion(iss="banking-app", sub="banking-app")
    assert ask(server.agent, assertion) == (401, "invalid_client")


def test_a_client_id_beside_the_assertion_must_be_the_same(server: AuthServer) -> None:
    assert ask(server.agent, server.agent.assertion(), client_id=AGENT) == (200, "")
    assert ask(server.agent, server.agent.assertion(), client_id="banking-app") == (401, "invalid_client")


def test_a_client_not_registered_for_a_grant_is_unauthorized(server: AuthServer) -> None:
    for client, grant_type in [
        (server.app, "client_credentials"),
        (server.app, "urn:ietf:params:oauth:grant-type:token-exchange"),
        (server.agent, "refresh_token"),
        (server.agent, "authorization_code"),
    ]:
        assert refusal(client.token(grant_type=grant_type)) == (400, "unauthorized_client")


@pytest.mark.parametrize("grant_type", [None, "password", "implicit", "x" * 1000, "a\tb"])
def test_an_unknown_grant_type_is_refused(server: AuthServer, grant_type: str | None) -> None:
    form = server.agent.credentials() | ({"grant_type": grant_type} if grant_type else {})
    response = server.http.post("/token", data=form)
    assert response.status_code == 400
    assert response.json()["error"] in {"unsupported_grant_type", "invalid_request"}


@pytest.fixture
def agents() -> Any:
    """A `jwks_uri` of this test's own."""
    with JwksServer([SigningKey.generate()]).serving() as serving:
        yield serving


@pytest.fixture
def asked(tmp_path: Path, app_keys: JwksServer, agents: JwksServer) -> Any:
    """A server that has not asked for the agent's keys yet."""
    with running_server(tmp_path, app_keys, agents, SetClock()) as running:
        yield running


def test_a_clients_new_key_is_fetched_when_it_is_first_used(asked: AuthServer, agents: JwksServer) -> None:
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")
    agents.keys = [SigningKey.generate()]
    asked.clock.forward(seconds=5)
    assert ask(asked.agent, asked.agent.assertion(key=agents.keys[0])) == (200, "")


def test_a_key_that_a_client_no_longer_publishes_dies_within_five_minutes(
    asked: AuthServer, agents: JwksServer
) -> None:
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")
    agents.keys = []
    asked.clock.forward(minutes=5)
    assert ask(asked.agent, asked.agent.assertion()) == (401, "invalid_client")


def test_unknown_keys_cause_one_fetch_in_five_seconds(asked: AuthServer, agents: JwksServer) -> None:
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")
    for _ in range(10):
        assert ask(asked.agent, asked.agent.assertion(key=SigningKey.generate())) == (401, "invalid_client")
    assert agents.fetches == 1
    asked.clock.forward(seconds=5)
    for _ in range(10):
        ask(asked.agent, asked.agent.assertion(key=SigningKey.generate()))
    assert agents.fetches == 2


def test_a_clients_last_known_keys_serve_for_an_hour_while_it_is_down(
    asked: AuthServer, agents: JwksServer
) -> None:
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")
    agents.broken = JSONResponse({}, 500)
    asked.clock.forward(minutes=59, seconds=59)
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")
    asked.clock.forward(seconds=1)
    assert ask(asked.agent, asked.agent.assertion()) == (401, "invalid_client")
    agents.broken = None
    asked.clock.forward(seconds=1)
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(JSONResponse({}, 500), id="fails"),
        pytest.param(JSONResponse({"keys": "none"}), id="has no list of keys"),
        pytest.param(JSONResponse([]), id="has no object"),
        pytest.param(
            JSONResponse({"keys": [1, None, {}, {"kid": 1}, {"kid": "1", "kty": ["EC"]}]}), id="has junk"
        ),
        pytest.param(Response("["), id="has no JSON"),
        pytest.param(Response("[" * 60_000), id="has JSON without end"),
        pytest.param(Response(" " * 70_000), id="is too long"),
        pytest.param(Response(status_code=302, headers={"location": "/jwks.json"}), id="leads elsewhere"),
        pytest.param(dripping(), id="never ends"),
    ],
)
def test_a_client_is_refused_and_told_so_while_its_jwks_uri(
    asked: AuthServer, agents: JwksServer, broken: Response
) -> None:
    agents.broken = broken
    assert ask(asked.agent, asked.agent.assertion()) == (401, "invalid_client")


def test_a_key_that_cannot_be_used_does_not_spoil_the_others(asked: AuthServer, agents: JwksServer) -> None:
    good = agents.keys[0].public_jwk
    broken = [
        {**good, "kid": "2", "x": "AAAA"},
        {**good, "kid": "3", "alg": "none"},
        {**good, "kid": "4", "x": 5},
    ]
    agents.broken = JSONResponse({"keys": [*broken, good, {"kty": "oct", "kid": "5", "k": "AAAA"}]})
    assert ask(asked.agent, asked.agent.assertion()) == (200, "")


def test_a_client_that_is_gone_is_refused_and_the_other_one_served(
    tmp_path: Path, app_keys: JwksServer
) -> None:
    with JwksServer([SigningKey.generate()]).serving() as gone:
        pass
    with running_server(tmp_path, app_keys, gone, SetClock()) as server:
        assert ask(server.agent, server.agent.assertion()) == (401, "invalid_client")
        assert server.app.introspect("x") == {"active": False}
