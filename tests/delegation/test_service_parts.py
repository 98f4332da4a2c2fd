"""What every service answers with: problem documents, health, records."""

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from delegation.health import NotReady, health_routes
from delegation.problem import Problem, answer_problem
from delegation.record import Record, of_token, print_record
from delegation.scope import Scope
from delegation.token import AccessToken, Actor, DelegationToken
from tests.clock import NOON
from tests.serving import serve


class Parts:
    """What a service needs, and whether it is there."""

    def __init__(self) -> None:
        self.lacking: Exception | None = None

    async def check(self) -> None:
        if self.lacking:
            raise self.lacking


@pytest.fixture(scope="module")
def parts() -> Parts:
    return Parts()


@pytest.fixture(scope="module")
def service(parts: Parts) -> Iterator[httpx2.Client]:
    async def overdrawn(_request: Request) -> None:
        raise Problem(409, "Take less.", kind="https://x/overdrawn", headers={"X-Reason": "1"}, left=7)

    async def gone(_request: Request) -> None:
        raise Problem(404, "There is none.")

    routes = [*health_routes({"database": parts.check}), Route("/overdrawn", overdrawn), Route("/gone", gone)]
    app = Starlette(routes=routes, exception_handlers={Problem: answer_problem})
    with serve(app) as url, httpx2.Client(base_url=url) as http:
        yield http


def test_a_problem_is_a_problem_document(service: httpx2.Client) -> None:
    response = service.get("/overdrawn")
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-reason"] == "1"
    assert response.json() == {
        "type": "https://x/overdrawn",
        "title": "Conflict",
        "status": 409,
        "detail": "Take less.",
        "left": 7,
    }


def test_a_problem_of_no_kind_is_about_its_status(service: httpx2.Client) -> None:
    body = service.get("/gone").json()
    assert (body["type"], body["title"], body["detail"]) == ("about:blank", "Not Found", "There is none.")


def test_a_service_that_has_all_it_needs_is_ready(service: httpx2.Client, parts: Parts) -> None:
    parts.lacking = None
    assert service.get("/healthz").json() == {"status": "ok"}
    assert service.get("/readyz").json() == {"status": "ready"}
    assert healthcheck(service).returncode == 0


def test_a_service_that_lacks_something_says_what(service: httpx2.Client, parts: Parts) -> None:
    parts.lacking = NotReady("start the database")
    response = service.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "lacking": {"database": "start the database"}}
    assert service.get("/healthz").status_code == 200
    checked = healthcheck(service)
    assert checked.returncode == 1
    assert "start the database" in checked.stderr


def test_a_check_that_fails_itself_is_not_ready_and_tells_nothing_of_why(
    service: httpx2.Client, parts: Parts
) -> None:
    parts.lacking = RuntimeError("a secret")
    response = service.get("/readyz")
    assert response.status_code == 503
    assert "a secret" not in response.text


def test_a_service_that_is_not_there_is_not_healthy() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "delegation.healthcheck", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no answer on port 1" in done.stderr


def healthcheck(service: httpx2.Client) -> subprocess.CompletedProcess[str]:
    port = str(service.base_url.port)
    command = [sys.executable, "-m", "delegation.healthcheck", port]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_record_is_one_line_of_json_with_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    values = ("issuer", "customer", ("audience",), "client", Scope({"b", "a"}), "jti", NOON, NOON)
    token = DelegationToken(*values, act=Actor("agent", Actor("earlier")))
    record = Record(
        service="s",
        step=5,
        decision="permit",
        reason="line\nbreak",
        operation="o",
        time=NOON,
        **of_token(token),
    )
    print_record(record)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "service": "s",
        "step": 5,
        "decision": "permit",
        "reason": "line\nbreak",
        "operation": "o",
        "resource": None,
        "sub": "customer",
        "act": ["agent", "earlier"],
        "client_id": "client",
        "aud": ["audience"],
        "scope": "a b",
        "jti": "jti",
        "decision_id": record.decision_id,
        "trace_id": record.trace_id,
        "time": "2026-06-15T12:00:00.000000+00:00",
    }


def test_a_record_of_no_token_names_nobody() -> None:
    assert of_token(None) == {}
    token = AccessToken("i", "customer", ("a",), "c", Scope(), "j", NOON, NOON)
    assert of_token(token)["act"] == ()
