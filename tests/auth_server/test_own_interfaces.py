"""Userinfo, grants and records are the customer's own app's, and for nothing an agent can hold (RULE 36)."""

from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    AuthServer,
    Tokens,
)

TRACE = "0123456789abcdef0123456789abcdef"
INTERFACES = [
    ("GET", "/userinfo", "openid"),
    ("POST", "/userinfo", "openid"),
    ("GET", "/grants", "grant_management_query"),
    ("DELETE", "/grants/some-grant", "grant_management_revoke"),
    ("GET", f"/records?trace_id={TRACE}", "openid"),
]


@dataclass(frozen=True)
class Held:
    """Everything that a customer's app and agent can hold."""

    customer: str
    tokens: Tokens
    by_name: dict[str, str]


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


@pytest.fixture(scope="module")
def held(server: AuthServer) -> Held:
    customer = server.new_customer()
    tokens = server.sign_on(customer)
    subject_token, actor_token = tokens.token_for(AGENT), server.actor_token()
    by_name = {
        "subject_token": subject_token,
        "actor_token": actor_token,
        "delegation_token": server.exchange(subject_token, actor_token).json()["access_token"],
        "app_token": tokens.token_for(ACCOUNT_API),
        "id_token": tokens.first["id_token"],
        "assertion": server.app.assertion(),
        "refresh_token": tokens.refresh_token,
        "nonsense": "nonsense",
        "strange": "é.é.é",
        "narrow": tokens.token_for(ISSUER, scope="profile"),
        "own": tokens.token_for(ISSUER),
    }
    return Held(customer, tokens, by_name)


def call(server: AuthServer, method: str, path: str, token: str) -> httpx2.Response:
    headers = {b"authorization": f"Bearer {token}".encode("latin-1")}
    return server.http.request(method, path, headers=headers)


@pytest.mark.parametrize(("method", "path", "scope"), INTERFACES)
@pytest.mark.parametrize(
    "name",
    [
        *("delegation_token", "subject_token", "actor_token", "app_token", "id_token", "refresh_token"),
        *("assertion", "nonsense", "strange"),
    ],
)
def test_an_interface_is_closed_to(
    server: AuthServer, held: Held, name: str, method: str, path: str, scope: str
) -> None:
    response = call(server, method, path, held.by_name[name])
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.endswith(f'scope="{scope}"')


@pytest.mark.parametrize(("method", "path", "scope"), INTERFACES)
def test_an_interface_without_a_token_names_no_error(
    server: AuthServer, method: str, path: str, scope: str
) -> None:
    response = server.http.request(method, path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == f'Bearer scope="{scope}"'


@pytest.mark.parametrize(("method", "path", "scope"), INTERFACES)
def test_an_interface_names_the_scope_that_a_token_lacks(
    server: AuthServer, held: Held, method: str, path: str, scope: str
) -> None:
    response = call(server, method, path, held.by_name["narrow"])
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    assert f'scope="{scope}"' in response.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path", "scope"), INTERFACES)
def test_a_token_in_the_address_or_twice_is_refused(
    server: AuthServer, held: Held, method: str, path: str, scope: str
) -> None:
    token = held.by_name["own"]
    in_query = f"{path}{'&' if '?' in path else '?'}access_token={token}"
    assert server.http.request(method, in_query).status_code == 400
    twice = [("authorization", f"Bearer {token}")] * 2
    assert server.http.request(method, path, headers=twice).status_code == 400


def test_userinfo_says_who_signed_on(server: AuthServer, held: Held) -> None:
    for method in ("GET", "POST"):
        response = call(server, method, "/userinfo", held.by_name["own"])
        assert response.json() == {"sub": held.customer, "name": "Kim Test"}
        assert response.headers["cache-control"] == "no-store"


def test_userinfo_gives_the_name_only_with_the_profile_scope(server: AuthServer, held: Held) -> None:
    token = held.tokens.token_for(ISSUER, scope="openid")
    assert call(server, "GET", "/userinfo", token).json() == {"sub": held.customer}


@pytest.mark.parametrize("grant_id", ["a%20b", "a" * 65, "%F0%9F%8F%A6", "..%2fgrants", "%00"])
def test_a_strange_grant_id_is_refused(server: AuthServer, held: Held, grant_id: str) -> None:
    response = call(server, "DELETE", f"/grants/{grant_id}", held.by_name["own"])
    assert response.status_code in {404, 422}
    assert response.headers["content-type"] == "application/problem+json"


def test_the_records_of_a_trace_are_the_customers_own(server: AuthServer, held: Held, customer: str) -> None:
    trace = {"traceparent": f"00-{TRACE}-0123456789abcdef-01"}
    own = {"authorization": f"Bearer {server.sign_on(customer).token_for(ISSUER)}"}
    theirs = {"authorization": f"Bearer {held.by_name['own']}"}
    server.http.get("/userinfo", headers=own | trace)
    server.http.get("/userinfo", headers=theirs | trace)
    response = server.http.get("/records", params={"trace_id": TRACE}, headers=own)
    [record] = [r for r in response.json()["records"] if r["operation"] == "userinfo"]
    assert (record["sub"], record["trace_id"], record["decision"]) == (customer, TRACE, "permit")
    assert record.keys() == {
        *("time", "service", "step", "decision", "reason", "operation", "resource"),
        *("sub", "act", "client_id", "aud", "scope", "jti", "decision_id", "trace_id"),
    }


@pytest.mark.parametrize("trace_id", ["", "0", "g" * 32, "A" * 32, f"{TRACE}0", f"{TRACE}\n"])
def test_a_malformed_trace_id_is_refused(server: AuthServer, held: Held, trace_id: str) -> None:
    own = {"authorization": f"Bearer {held.by_name['own']}"}
    response = server.http.get("/records", params={"trace_id": trace_id}, headers=own)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert "trace_id" in response.json()["detail"]


def test_without_a_trace_id_the_own_records_are_listed_newest_first_and_paged(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer)
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    for _ in range(3):
        server.http.get("/userinfo", headers=own)
    seen: list[dict[str, Any]] = []
    before: dict[str, int] = {}
    while True:
        page = server.http.get("/records", params={"limit": 2, **before}, headers=own).json()
        assert len(page["records"]) <= 2
        seen += page["records"]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert {one["sub"] for one in seen} == {customer}
    assert len({one["decision_id"] for one in seen}) == len(seen)
    kept = server.records(sub=customer)
    assert [one["decision_id"] for one in kept if one["decision_id"] in {s["decision_id"] for s in seen}] == [
        one["decision_id"] for one in reversed(seen)
    ]
    assert len([one for one in seen if one["operation"] == "userinfo"]) == 3


def test_of_the_own_records_those_of_agents_can_be_had_alone(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    exchanged = server.exchange(tokens.token_for(AGENT), scope=BALANCE)
    assert exchanged.status_code == 200, exchanged.text
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    found = server.http.get("/records", params={"delegated": "true"}, headers=own).json()["records"]
    assert {tuple(one["act"]) for one in found} == {(AGENT,)}
    assert "token.exchange" in {one["operation"] for one in found}


@pytest.mark.parametrize("parameters", [{"limit": 0}, {"limit": 101}, {"before": 0}, {"before": 2**63}])
def test_a_page_of_records_that_cannot_be_is_refused(
    server: AuthServer, held: Held, parameters: dict[str, int]
) -> None:
    own = {"authorization": f"Bearer {held.by_name['own']}"}
    assert server.http.get("/records", params=parameters, headers=own).status_code == 422


def test_a_grant_says_for_what_it_was_used_last_and_how_its_agent_stands(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer)
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    [unused] = server.http.get("/grants", headers=own).json()["grants"]
    assert (unused["last_used_at"], unused["last_used_scope"]) == (None, None)
    assert server.exchange(tokens.token_for(AGENT), scope=BALANCE).status_code == 200
    [used] = server.http.get("/grants", headers=own).json()["grants"]
    assert used["last_used_at"] is not None
    assert used["last_used_scope"] == BALANCE
    assert used["agent"]["state"] == "active"


def test_a_token_in_the_body_is_refused_also_beside_one_in_the_header(server: AuthServer, held: Held) -> None:
    own = held.by_name["own"]
    for headers in ({"authorization": f"Bearer {own}"}, {}):
        answer = server.http.post("/userinfo", data={"access_token": own}, headers=headers)
        assert answer.status_code == 400
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]
    accepted = {"authorization": f"Bearer {own}"}
    assert server.http.post("/userinfo", data={"else": "x"}, headers=accepted).status_code == 200


def test_whoever_has_no_token_is_told_nothing_about_parameters(server: AuthServer) -> None:
    for method, path in (("GET", "/records"), ("GET", "/records?trace_id=x"), ("DELETE", "/grants/a%20b")):
        assert server.http.request(method, path).status_code == 401
