"""The exported configuration, run by a real Envoy: who has which word, and what if one of them is silent."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send

from gateway.__main__ import main
from gateway.app import create_decision_service
from gateway.settings import Settings
from tests.envoy import PROGRAM, exported, serving_envoy
from tests.gateway.conftest import Records, bearer
from tests.gateway.made_requests import CHAIN, chain
from tests.gateway.recording import Arrived, RecordingResource, answer
from tests.gateway.wire import connected, request
from tests.issuer import AGENT, TestIssuer
from tests.serving import serve

PATH = "/accounts/4001-01/balance"
READ, TRANSFER = "account:read_balance", "account:transfer"


@pytest.fixture(scope="module")
def envoy(
    settings: Settings,
    served_resource: tuple[RecordingResource, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("envoy")
    changes = {"data_dir": folder, "held_body_seconds": 1.0, "upstream_read_timeout_seconds": 1.0}
    with serving_envoy(settings.model_copy(update=changes), folder, "--actor-header", "X-Actor") as url:
        yield url


@pytest.fixture
def client(envoy: str, resource: RecordingResource) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=envoy) as client:
        yield client


def test_a_permitted_call_goes_on_with_its_record_its_trace_and_nothing_that_the_caller_made_up(
    client: httpx2.Client, resource: RecordingResource, issuer: TestIssuer, records: Records
) -> None:
    forged = {
        "x-actor": "me",
        "x-user": "me",
        "cookie": "a=b",
        "x-envoy-original-path": "/admin",
        "accept": "a/b",
    }
    token = bearer(issuer.delegation_token(READ))
    told = client.get(PATH, headers=token | forged)
    [arrived], [record] = resource.arrived, records()
    assert (told.status_code, told.json()) == (200, {"answer": "from the resource"})
    assert told.headers["decision-id"] == record["decision_id"]
    assert told.headers["decision"].startswith("permit;")
    assert arrived.header("x-actor") == [AGENT]
    assert arrived.header("authorization") == [token["authorization"]]
    [traceparent] = arrived.header("traceparent")
    assert traceparent.split("-")[1] == record["trace_id"]
    expected = {"accept", "accept-encoding", "authorization", "host", "traceparent", "user-agent", "x-actor"}
    assert {name for name, _ in arrived.headers} <= expected


def test_the_resources_answer_comes_without_what_the_gateway_takes_out(
    client: httpx2.Client, resource: RecordingResource, issuer: TestIssuer
) -> None:
    async def handler(_request: Arrived, _receive: Receive, send: Send) -> None:
        fields = (b"set-cookie", b"server", b"x-powered-by", b"decision", b"decision-id")
        await answer(send, b"{}", headers=tuple((name, b"x") for name in fields))

    resource.handler = handler
    told = client.get(PATH, headers=bearer(issuer.delegation_token(READ)))
    assert told.status_code == 200
    assert {"set-cookie", "server", "x-powered-by"}.isdisjoint(told.headers)
    assert told.headers["decision"].startswith("permit;")
    assert len(told.headers["decision-id"]) == 32


def test_a_refusal_is_the_gateways_own(
    client: httpx2.Client, resource: RecordingResource, issuer: TestIssuer, records: Records
) -> None:
    told = client.get(PATH, headers=bearer(issuer.delegation_token(TRANSFER)))
    [record] = records()
    assert told.status_code == 403
    assert told.headers["content-type"] == "application/problem+json"
    assert told.headers["cache-control"] == "no-store"
    assert f'scope="{READ}"' in told.headers["www-authenticate"]
    assert told.json()["decision_id"] == told.headers["decision-id"] == record["decision_id"]
    assert resource.arrived == []


def test_the_metadata_is_where_the_gateway_has_it(client: httpx2.Client) -> None:
    for path in (
        "/.well-known/oauth-protected-resource",
        "/openapi.json",
        "/jwks.json",
        "/healthz",
        "/readyz",
    ):
        assert client.get(path).status_code == 200, path
    for path in ("/audit", "/access/v1/evaluation", "/ext-authz/healthz"):
        assert client.get(path).status_code == 401, path


def test_a_body_that_does_not_come_is_given_up(
    envoy: str, resource: RecordingResource, issuer: TestIssuer
) -> None:
    token = issuer.delegation_token(TRANSFER)
    with connected(envoy) as connection:
        connection.sendall(request("POST", "/transfers", token, "Content-Length: 5"))
        assert connection.recv(12) == b"HTTP/1.1 408"
    assert resource.arrived == []


def test_a_resource_that_is_silent_or_gone_is_told_as_such(
    client: httpx2.Client, resource: RecordingResource, issuer: TestIssuer, settings: Settings, tmp_path: Path
) -> None:
    async def silent(_request: Arrived, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    resource.handler = silent
    token = bearer(issuer.delegation_token(READ))
    assert client.get(PATH, headers=token).status_code == 504
    gone = settings.model_copy(update={"data_dir": tmp_path, "upstream_url": "http://127.0.0.1:9"})
    with serving_envoy(gone, tmp_path) as url:
        assert httpx2.get(f"{url}{PATH}", headers=token).status_code == 503


def test_envoy_refuses_by_itself_what_a_decision_service_would_let_through(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    """A service that was taken over, or has a fault: it says yes to everything."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(settings.policy_file.read_text().replace("    scope:", "    max_depth: 2\n    scope:"))
    own = settings.model_copy(update={"policy_file": policy, "data_dir": tmp_path})

    async def yes(_request: Request) -> Response:
        return Response()

    methods = ["GET", "POST", "PUT", "DELETE", "HEAD"]
    with serving_envoy(
        own, tmp_path, decision_service=Starlette(routes=[Route("/{path:path}", yes, methods=methods)])
    ) as url:

        def status(method: str, path: str, token: str | None) -> int:
            headers = bearer(token) if token else {}
            return httpx2.request(method, f"{url}{path}", headers=headers).status_code

        good = issuer.delegation_token(READ)
        behind = issuer.delegation_token(READ, act=chain(*CHAIN[:2]))
        assert status("GET", PATH, good) == 200
        assert status("GET", f"{PATH}?x=1", issuer.delegation_token(f"{TRANSFER} {READ}")) == 200
        assert status("GET", PATH, behind) == 200
        assert len(resource.arrived) == 3
        refused = {
            "no token": (PATH, None, 401),
            "expired": (PATH, issuer.delegation_token(READ, exp=1), 401),
            "without exp": (PATH, issuer.delegation_token(READ, exp=None), 401),
            "of another issuer": (PATH, issuer.delegation_token(READ, iss="https://other"), 401),
            "for another audience": (PATH, issuer.delegation_token(READ, aud="https://other"), 403),
            "of another type": (PATH, issuer.mint(typ="JWT", act={"sub": AGENT}, scope=READ), 403),
            "without an actor": (PATH, issuer.mint(scope=READ), 403),
            "of another agent": (PATH, issuer.delegation_token(READ, act={"sub": "https://x"}), 403),
            "too deep": (PATH, issuer.delegation_token(READ, act=chain(*CHAIN[:3])), 403),
            "without the scope": (PATH, issuer.delegation_token(TRANSFER), 403),
            "with part of the scope's name": (PATH, issuer.delegation_token(f"{READ}s"), 403),
            "another path": (f"{PATH}/x", good, 403),
            "a segment that is two": ("/accounts/4001%2F01/balance", good, 403),
        }
        for name, (path, token, expected) in refused.items():
            assert status("GET", path, token) == expected, name
        assert status("POST", PATH, good) == 403
        assert len(resource.arrived) == 3


def test_without_an_answer_of_the_decision_service_nothing_goes_on(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    answers = [200, 500, 503, 200]

    async def service(request: Request) -> Response:
        return Response(status_code=200 if request.url.path == "/healthz" else answers.pop(0))

    own = settings.model_copy(update={"data_dir": tmp_path, "record_wait_seconds": 0.1})
    asked = Starlette(routes=[Route("/{path:path}", service)])
    token = bearer(issuer.delegation_token(READ))
    with serving_envoy(own, tmp_path, decision_service=asked) as url:
        told = [httpx2.get(f"{url}{PATH}", headers=token).status_code for _ in range(4)]
    assert told == [200, 503, 503, 200]
    assert len(resource.arrived) == 2


def test_the_decision_service_answers_and_passes_nothing_on(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    token = bearer(issuer.delegation_token(f"{READ} {TRANSFER}"))
    with serve(create_decision_service(settings.model_copy(update={"data_dir": tmp_path}))) as url:
        told = httpx2.get(f"{url}/ext-authz{PATH}", headers=token)
        assert (told.status_code, told.content) == (200, b"")
        assert httpx2.post(f"{url}/ext-authz/transfers", headers=token, content=b"{}").status_code == 200
        assert httpx2.get(f"{url}/ext-authz{PATH}").status_code == 401
        assert httpx2.get(f"{url}/ext-authz/healthz", headers=token).status_code == 404
        assert httpx2.get(f"{url}{PATH}", headers=token).status_code == 404
        assert "upstream" not in httpx2.get(f"{url}/readyz").text
    assert resource.arrived == []


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, ()),
        ({"upstream_url": "https://api.example.com", "jwks_uri": "https://id.example.com/keys?x=1"}, ()),
        ({"upstream_url": "http://account_api:8505", "jwks_uri": "http://auth_server:8502/jwks"}, ()),
        ({"max_body_bytes": 0}, ("--actor-header", "X-Actor", "--listen", "[::1]:1")),
    ],
)
def test_envoy_takes_what_is_exported(
    changes: dict[str, object], options: tuple[str, ...], settings: Settings, tmp_path: Path
) -> None:
    configuration = tmp_path / "envoy.yaml"
    configuration.write_text(exported(settings.model_copy(update=changes), *options))
    command = [
        str(PROGRAM),
        "--use-dynamic-base-id",
        "--mode",
        "validate",
        "--config-path",
        str(configuration),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "nginx"),
        ("--format", "envoy", "--listen", "8503"),
        ("--format", "envoy", "--decision-service", "http://host/path"),
        ("--format", "envoy", "--actor-header", "X Actor"),
        (),
    ],
)
def test_an_export_that_cannot_be_is_refused(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["policy", "export", *options])
    assert ended.value.code == 2
    assert "export" in capsys.readouterr().err
