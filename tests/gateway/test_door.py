"""What the door answers: to callers without a token, on paths and methods, and what every answer says of it.

The path that is judged is the path that is sent on, byte for byte: what could be read in two ways is refused.
"""

import json
import re
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from tests.gateway.conftest import Records, bearer
from tests.gateway.recording import RecordingResource
from tests.gateway.wire import exchange, get, request
from tests.issuer import AGENT, CUSTOMER, TestIssuer

ALL = "account:read_balance account:read_transactions account:transfer"
PATH = "/accounts/4001-01/balance"

OPEN_POLICY = Path(__file__).with_name("open_policy.yaml")
UNSAFE = [
    "//accounts",
    "/accounts//balance",
    "/accounts/./balance",
    "/accounts/../accounts",
    "/accounts/4001-01/balance/..",
    "/accounts/%2e%2e/balance",
    "/accounts/4001%2f01/balance",
    "/accounts/4001%2F..%2F4002-01/balance",
    "/accounts/4001%5c01/balance",
    "/accounts/4001\\01/balance",
    "/accounts/4001%00/balance",
    "/accounts/%252e%252e/balance",
    "/accounts/%34001-01/balance",
    "/%61ccounts",
    "/%68ealthz",
    "/accounts/..;/balance",
    "/accounts/4001-01;x=1/balance",
    "/accounts/{account_id}/balance",
    "/accounts/%C3%A9/balance",
    "*",
]
UNKNOWN = [
    "/",
    "/accounts/",
    "/Accounts",
    "/accounts/4001-01",
    "/accounts/4001-01/balance/",
    "/accounts/4001-01/balance/x",
    "/admin",
    "/records",
    "/healthz/x",
    "/.well-known/oauth-protected-resource/x",
    "/transfers/1",
]


@pytest.fixture
def token(issuer: TestIssuer) -> str:
    return issuer.delegation_token(ALL)


@pytest.mark.parametrize("path", UNSAFE)
def test_a_path_that_could_be_read_in_two_ways_is_answered_400(
    path: str, gateway: str, resource: RecordingResource, token: str, records: Records
) -> None:
    answer = exchange(gateway, get(path, token))
    assert answer.status_code == 400
    assert answer.json()["type"] == "https://delegation-bank.example/problems/unsafe-path"
    assert resource.arrived == []
    assert [record["decision"] for record in records()] == ["deny"]


@pytest.mark.parametrize(
    "path", ["/accounts/\xe9/balance", "/accounts/a b/balance", "/accounts/\x00/balance"]
)
def test_a_request_line_that_is_not_http_is_answered_400_by_the_server(
    path: str, gateway: str, resource: RecordingResource, token: str
) -> None:
    assert exchange(gateway, get(path, token)).status_code == 400
    assert resource.arrived == []


@pytest.mark.parametrize("path", UNKNOWN)
def test_a_path_that_the_policy_does_not_name_is_answered_404(
    path: str, gateway: str, resource: RecordingResource, token: str, records: Records
) -> None:
    answer = exchange(gateway, get(path, token))
    assert answer.status_code == 404
    assert answer.json()["type"] == "https://delegation-bank.example/problems/unknown-path"
    assert resource.arrived == []
    [record] = records()
    assert (record["decision"], record["resource"], record["sub"]) == ("deny", path, CUSTOMER)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", PATH, "GET"),
        ("HEAD", PATH, "GET"),
        ("OPTIONS", PATH, "GET"),
        ("DELETE", "/accounts", "GET"),
        ("PROPFIND", "/accounts", "GET"),
        ("GET", "/transfers", "POST"),
    ],
)
def test_a_method_that_the_policy_does_not_name_is_answered_405_with_the_methods_it_does(
    method: str, path: str, allow: str, client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    answer = client.request(method, path, headers=bearer(token))
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert resource.arrived == []


def test_connect_is_answered_400_by_the_server(gateway: str, resource: RecordingResource, token: str) -> None:
    assert exchange(gateway, request("CONNECT", "account-api:8505", token)).status_code == 400
    assert resource.arrived == []


def test_without_a_token_every_path_and_method_looks_the_same(
    client: httpx2.Client, gateway: str, resource: RecordingResource
) -> None:
    def look(answer: httpx2.Response) -> tuple[object, ...]:
        assert answer.status_code == 401
        varying = {"decision-id", "date"}
        headers = {name: value for name, value in answer.headers.items() if name not in varying}
        return headers, answer.json() | {"decision_id": ""}

    known = look(client.get(PATH))
    for path in [*UNKNOWN, *UNSAFE, "/transfers"]:
        assert look(exchange(gateway, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())) == known
    assert look(client.post(PATH)) == known
    assert look(client.post("/transfers", content=b"x" * 100_000)) == known
    assert look(client.get(PATH, headers=[("idempotency-key", "a"), ("idempotency-key", "b")])) == known


def test_a_permitted_call_says_so_in_its_headers_and_in_exactly_one_record(
    client: httpx2.Client, token: str, records: Records
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = bearer(token) | {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = client.get(f"{PATH}?from=2025-01-01", headers=headers)
    reason = f"{AGENT} may do account.read_balance, and the token has the scope account:read_balance."
    assert answer.headers["decision"] == f'permit;operation="account.read_balance";reason="{reason}"'
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["decision-id"])
    [record] = records()
    assert record.pop("time") > "2025"
    assert record.pop("jti")
    call = record.pop("call")
    assert (call["method"], call["exp"] - call["iat"], set(call)) == ("GET", 300, {"method", "iat", "exp"})
    assert record == {
        "service": "gateway",
        "step": 5,
        "decision": "permit",
        "reason": reason,
        "operation": "account.read_balance",
        "resource": PATH,
        "sub": CUSTOMER,
        "act": [AGENT],
        "client_id": AGENT,
        "aud": ["https://account.api.example.com"],
        "scope": ALL,
        "decision_id": answer.headers["decision-id"],
        "trace_id": trace,
        "policy_version": sha256(OPEN_POLICY.read_bytes()).hexdigest(),
    }


def test_a_refused_call_says_so_in_headers_and_in_a_problem_document(
    client: httpx2.Client, issuer: TestIssuer
) -> None:
    answer = client.get(PATH, headers=bearer(issuer.delegation_token("account:transfer")))
    reason = "account.read_balance needs the scope account:read_balance."
    assert answer.headers["decision"] == f'deny;operation="account.read_balance";reason="{reason}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "https://delegation-bank.example/problems/insufficient-scope",
        "title": "Insufficient scope",
        "status": 403,
        "detail": f"{reason} Exchange for a token that has it.",
        "reason": reason,
        "operation": "account.read_balance",
        "decision_id": answer.headers["decision-id"],
    }


def test_the_trace_goes_on_to_the_resource_with_a_span_of_our_own(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    client.get(PATH, headers=bearer(token) | {"traceparent": sent})
    [passed_on] = resource.arrived[0].header("traceparent")
    assert passed_on[:36] == sent[:36]
    assert passed_on != sent


def test_a_record_keeps_no_query_and_nothing_of_a_path_that_could_be_a_token(
    client: httpx2.Client, token: str, records: Records
) -> None:
    client.get(f"/accounts/{token}/balance?note=secret", headers=bearer(token))
    client.get("/a" * 5000, headers=bearer(token))
    recorded = records()
    assert recorded[0]["resource"] == "/accounts/.../balance"
    assert len(recorded[1]["resource"]) == 256
    assert "secret" not in json.dumps(recorded)


def test_a_record_keeps_nothing_that_a_caller_without_a_good_token_wrote(
    client: httpx2.Client, records: Records
) -> None:
    for headers in ({}, bearer("nonsense")):
        client.get("/my-password", headers=headers)
        [record] = records()
        assert (record["decision"], record["operation"], record["resource"]) == ("deny", "unknown", None)


def test_63_protected_resource_metadata_names_the_address_it_was_found_at(client: httpx2.Client) -> None:
    challenge = client.get(PATH).headers["www-authenticate"]
    [address] = re.findall('resource_metadata="([^"]+)"', challenge)
    answer = client.get("/.well-known/oauth-protected-resource")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "resource": "http://localhost:8503",
        "resource_name": "Account API",
        "authorization_servers": ["http://localhost:8502"],
        "scopes_supported": ["account:read_balance", "account:read_transactions", "account:transfer"],
        "bearer_methods_supported": ["header"],
    }
    assert address == f"{answer.json()['resource']}/.well-known/oauth-protected-resource"


def test_health_and_readiness_answer_without_a_token_and_leave_no_record(
    client: httpx2.Client, records: Records
) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert records() == []
