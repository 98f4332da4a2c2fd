"""AuthZEN access evaluation: the same decision for other enforcement points, told to nobody else."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.clock import SetClock
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.recording import RecordingResource
from tests.gateway.test_records import locked
from tests.gateway.wire import connected, request
from tests.issuer import AGENT, CUSTOMER, TestIssuer
from tests.serving import serve

PATH = "/access/v1/evaluation"


@pytest.fixture
def client(settings: Settings, resource: RecordingResource) -> Iterator[httpx2.Client]:
    """A gateway with the packaged policy."""
    with gateway_with(settings, policy_file=Settings().policy_file) as client:
        yield client


def point(issuer: TestIssuer, **claims: Any) -> dict[str, str]:
    own = {"sub": "envoy", "client_id": "envoy", "scope": "access:evaluate"}
    return bearer(issuer.mint(**own | claims))


def question(**changes: Any) -> dict[str, Any]:
    claims = {
        "act": {"sub": AGENT},
        "client_id": AGENT,
        "scope": "account:transfer",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
    }
    subject = {"type": "user", "id": CUSTOMER, "properties": claims | changes.pop("claims", {})}
    action = {"name": "account.transfer", "properties": {"amount_minor": 100, "currency": "EUR"}}
    resource = {"type": "resource", "id": "4001-01"}
    return {"subject": subject, "action": action, "resource": resource} | changes


def test_the_decision_is_the_same_as_at_the_door_and_is_recorded(
    client: httpx2.Client, issuer: TestIssuer, records: Records
) -> None:
    headers = point(issuer) | {"X-Request-ID": "abc-1"}
    answer = client.post(PATH, headers=headers, json=question())
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "abc-1")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["decision"] is True
    over = {"name": "account.transfer", "properties": {"amount_minor": 100_001, "currency": "EUR"}}
    refused = client.post(PATH, headers=headers, json=question(action=over)).json()
    assert refused["decision"] is False
    assert refused["context"]["kind"] == "condition-not-met"
    permit, deny = records()
    assert permit["decision_id"] == answer.json()["context"]["decision_id"]
    assert permit["policy_version"] == answer.json()["context"]["policy_version"]
    assert (permit["sub"], permit["act"], permit["call"]["asked_by"]) == (CUSTOMER, [AGENT], "envoy")
    assert (deny["decision"], deny["call"]["arguments"]["amount_minor"]) == ("deny", 100_001)


DENIED: dict[str, tuple[dict[str, Any], str]] = {
    "an operation that there is not": ({"action": {"name": "account.close"}}, "unknown-operation"),
    "a subject that is no user": ({"subject": {"type": "pod", "id": "x"}}, "unknown-operation"),
    "a resource of another type": ({"resource": {"type": "record", "id": "1"}}, "unknown-resource"),
    "nothing about a token": ({"subject": {"type": "user", "id": CUSTOMER}}, "unusable-claims"),
    "an expired token": ({"claims": {"exp": 1}}, "unusable-claims"),
    "no actor": ({"claims": {"act": None}}, "unusable-claims"),
    "another actor": ({"claims": {"act": {"sub": "https://other.example.com"}}}, "actor-not-allowed"),
    "too little scope": ({"claims": {"scope": "account:read_balance"}}, "insufficient-scope"),
    "no arguments": ({"action": {"name": "account.transfer"}}, "unusable-argument"),
    "a subject that claims to be another": (
        {"claims": {"sub": "x", "aud": "y", "exp": 1}},
        "unusable-claims",
    ),
}


@pytest.mark.parametrize(("changes", "kind"), DENIED.values(), ids=DENIED)
def test_what_the_policy_does_not_permit_is_200_and_false(
    changes: dict[str, Any], kind: str, client: httpx2.Client, issuer: TestIssuer
) -> None:
    answer = client.post(PATH, headers=point(issuer), json=question(**json.loads(json.dumps(changes))))
    assert answer.status_code == 200
    assert answer.json()["decision"] is False
    assert answer.json()["context"]["kind"] == kind


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"subject":{}}', json.dumps(question(subject="x")).encode(),
        json.dumps(question(action={"name": 1})).encode(),
        json.dumps(question(resource={"type": "resource"})).encode(),
        json.dumps(question(action={"name": "account.transfer", "properties": []})).encode(),
        json.dumps(question()).encode()[:-1] + b',"subject":{"type":"user","id":"x"}}',
    ],
)  # fmt: skip
def test_what_is_no_question_is_answered_400(
    body: bytes, client: httpx2.Client, issuer: TestIssuer, records: Records
) -> None:
    headers = point(issuer) | {"content-type": "application/json"}
    answer = client.post(PATH, headers=headers, content=body)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/malformed-question")
    assert [one["decision"] for one in records()] == ["deny"]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("nobody", 401), ("agent", 401), ("customer's app", 403), ("elsewhere", 401), ("app for an agent", 401)],
)
def test_only_an_enforcement_point_with_a_token_of_its_own_is_answered(
    kind: str, status: int, client: httpx2.Client, issuer: TestIssuer
) -> None:
    headers = {
        "nobody": {},
        "agent": bearer(issuer.delegation_token("access:evaluate account:transfer")),
        "customer's app": bearer(issuer.app_token()),
        "elsewhere": point(issuer, aud="https://elsewhere.example.com"),
        "app for an agent": point(issuer, may_act={"sub": AGENT}),
    }[kind]
    answer = client.post(PATH, headers=headers, json=question())
    assert answer.status_code == status
    assert "decision" not in answer.json()
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_a_question_counts_against_limits_as_a_call_does(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    packaged = Settings().policy_file.read_text()
    policy.write_text(packaged.replace("    arguments:", "    rate: {agent: 1/hour}\n    arguments:", 1))
    with gateway_with(settings, policy_file=policy) as client:
        told = [client.post(PATH, headers=point(issuer), json=question()).json() for _ in range(2)]
        assert [one["decision"] for one in told] == [True, False]
        assert told[1]["context"]["kind"] == "too-many-calls"
        body = {"from_account": "1", "to": "x", "amount": {"amount_minor": 1, "currency": "EUR"}}
        token = bearer(issuer.delegation_token("account:transfer"))
        assert client.post("/transfers", headers=token, json=body).status_code == 429


def test_a_permit_is_on_disk_before_it_is_told(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    changes = {"data_dir": tmp_path, "policy_file": Settings().policy_file}
    own = settings.model_copy(update=changes | {"record_wait_seconds": 0.1, "record_bound_seconds": 60})
    with gateway_with(own) as client:
        assert client.post(PATH, headers=point(issuer), json=question()).json()["decision"] is True
        with locked(own):
            answer = client.post(PATH, headers=point(issuer), json=question())
            assert answer.status_code == 503
            assert answer.json()["type"].endswith("/decision-not-recorded")


def test_a_token_that_expires_while_its_question_is_awaited_is_told_nothing(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    clock = SetClock(datetime.now(UTC))
    own = settings.model_copy(update={"policy_file": Settings().policy_file})
    body, token = json.dumps(question()).encode(), issuer.mint(sub="envoy", scope="access:evaluate")
    lines = (f"Content-Length: {len(body)}", "Content-Type: application/json", "Expect: 100-continue")
    with serve(create_app(own, clock)) as url, connected(url) as connection:
        connection.sendall(request("POST", PATH, token, *lines))
        assert connection.recv(12) == b"HTTP/1.1 100"
        clock.forward(seconds=3601)
        connection.sendall(body)
        answer = b""
        while b'"status":' not in answer and (more := connection.recv(65536)):
            answer += more
    assert b"HTTP/1.1 401" in answer


def test_an_enforcement_point_that_goes_away_in_the_middle_of_its_question_is_no_fault_of_the_gateway(
    client: httpx2.Client, issuer: TestIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    token = point(issuer)["authorization"].removeprefix("Bearer ")
    lines = ("Content-Length: 9", "Content-Type: application/json", "Expect: 100-continue")
    with connected(str(client.base_url)) as connection:
        connection.sendall(request("POST", PATH, token, *lines))
        assert connection.recv(12) == b"HTTP/1.1 100"  # its body is awaited
    for _ in range(3):
        assert client.post(PATH, headers=point(issuer), json=question()).status_code == 200
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


def test_the_metadata_says_where_it_is(client: httpx2.Client) -> None:
    assert client.get("/.well-known/authzen-configuration").json() == {
        "policy_decision_point": "http://localhost:8503",
        "access_evaluation_endpoint": "http://localhost:8503/access/v1/evaluation",
    }
