"""Callers that are slow to send a body or to take an answer: given up in time, and in nobody's way."""

import asyncio
import select
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Send

from delegation import http_bounds
from gateway import upstream
from gateway.settings import Settings
from tests.gateway.conftest import bearer, gateway_with
from tests.gateway.mcp_fixtures import McpGateway
from tests.gateway.recording import Arrived, RecordingResource, plain
from tests.gateway.test_endless_requests import MEGABYTE, answer, as_in_the_demo, memory_of, slowly, started
from tests.gateway.wire import connected, get, request, stalled
from tests.issuer import TestIssuer
from tests.serving import serve
from tests.stack.waiting import until

PATH = "/accounts/4001-01/balance"
PACKAGED = Path(__file__).parents[2] / "gateway" / "policy.yaml"
JSON = "Content-Type: application/json"
FRAMINGS = {"Content-Length: 1000": b"x", "Transfer-Encoding: chunked": b"1\r\nx\r\n"}


@pytest.fixture
def token(issuer: TestIssuer) -> str:
    return issuer.delegation_token("account:read_balance account:transfer")


class Endless:
    """A handler whose answers to `/accounts` have no end: `begun` and `over` count them."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Semaphore(0), threading.Semaphore(0)

    async def __call__(self, request: Arrived, receive: Receive, send: Send) -> None:
        """Answer until the sender is gone."""
        if request.path != b"/accounts":
            await plain(request, receive, send)
            return
        await receive()
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun.release()
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        self.over.release()


@pytest.mark.parametrize(("framing", "piece"), FRAMINGS.items())
@pytest.mark.parametrize("changes", [{}, {"policy_file": PACKAGED}], ids=["streamed", "held"])
def test_a_body_of_a_byte_now_and_then_is_408_and_its_place_at_the_resource_is_free(
    changes: dict[str, Path],
    framing: str,
    piece: bytes,
    settings: Settings,
    resource: RecordingResource,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_bounds, "BODY_SECONDS", 0.3)
    with gateway_with(settings, upstream_max_connections=1, **changes) as client:
        with connected(str(client.base_url)) as connection:
            connection.sendall(request("POST", "/transfers", token, framing, JSON))
            slowly(connection, piece)
            assert answer(connection) == (408, "close")
        assert client.get(PATH, headers=bearer(token)).status_code == 200
    assert [one.complete for one in resource.arrived if one.method == "POST"] in ([], [False])


def test_a_body_that_keeps_coming_is_taken_however_long_it_takes(
    settings: Settings, resource: RecordingResource, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(http_bounds, "BODY_BYTES_A_SECOND", 1)
    body = b"x" * 60
    with gateway_with(settings) as client, connected(str(client.base_url)) as connection:
        connection.sendall(request("POST", "/transfers", token, "Content-Length: 60", body=body[:30]))
        threading.Event().wait(0.3)  # past the time that a body of nothing has
        connection.sendall(body[30:])
        assert answer(connection) == (200, None)
    assert [one.body for one in resource.arrived] == [body]


def test_a_message_of_mcp_that_does_not_come_in_time_is_408_as_json_rpc(mcp: McpGateway) -> None:
    with (
        gateway_with(mcp.settings, held_body_seconds=0.1) as client,
        connected(str(client.base_url)) as connection,
    ):
        lines = (JSON, "Accept: application/json, text/event-stream", "Content-Length: 100")
        connection.sendall(request("POST", "/mcp", mcp.token(), *lines, body=b"{"))
        told = b""
        while b"body-too-slow" not in told and (piece := connection.recv(65_536)):
            told += piece
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b'"jsonrpc"' in told
    assert mcp.resource.arrived == []


def test_callers_whose_bodies_are_slow_give_way_to_those_who_wait_for_a_connection(
    settings: Settings, resource: RecordingResource, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "_PATIENCE_SECONDS", 0.3)
    few = {"upstream_max_connections": 2, "upstream_connect_timeout_seconds": 10.0}
    with gateway_with(settings, **few) as client, ExitStack() as open_connections:
        slow = [open_connections.enter_context(connected(str(client.base_url))) for _ in range(2)]
        for one in slow:
            one.sendall(request("POST", "/transfers", token, "Content-Length: 9", body=b"first"))
        until(lambda: len(resource.arrived) == 2, "every connection is in use")
        for _ in range(5):
            assert client.get(PATH, headers=bearer(token)).status_code == 200
        [gave_way], _, _ = select.select(slow, [], [], 10)
        assert answer(gave_way)[0] == 408
        slow.remove(gave_way)
        slow[0].sendall(b"last")  # it was in nobody's way any more
        assert answer(slow[0]) == (200, None)


def test_callers_who_do_not_take_their_answers_give_way_too(
    settings: Settings, resource: RecordingResource, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "_PATIENCE_SECONDS", 0.3)
    resource.handler = endless = Endless()
    few = {"upstream_max_connections": 2, "upstream_connect_timeout_seconds": 10.0}
    with gateway_with(settings, **few) as client, ExitStack() as open_connections:
        for _ in range(2):
            ask = get("/accounts", token)
            open_connections.enter_context(stalled(str(client.base_url), ask))
            assert endless.begun.acquire(timeout=10)
        for _ in range(5):
            assert client.get(PATH, headers=bearer(token)).status_code == 200
        assert endless.over.acquire(timeout=10)


def test_an_answer_that_nobody_takes_is_given_up_and_the_resource_let_go(
    settings: Settings, resource: RecordingResource, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "TAKE_SECONDS", 0.3)
    resource.handler = endless = Endless()
    with (
        gateway_with(settings) as client,
        stalled(str(client.base_url), get("/accounts", token)) as connection,
    ):
        assert endless.over.acquire(timeout=10)
        told = b"".join(iter(lambda: connection.recv(MEGABYTE), b""))
        assert not told.endswith(b"0\r\n\r\n"), "it must never look complete"
        assert client.get(PATH, headers=bearer(token)).status_code == 200


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Only Linux tells a process's memory.")
def test_answers_that_nobody_takes_and_bodies_without_an_end_fill_no_memory(
    settings: Settings, issuer: TestIssuer, token: str
) -> None:
    endless = Endless()
    callers = 20
    with (
        serve(RecordingResource(endless)) as resource,
        ExitStack() as open_connections,
        started(
            as_in_the_demo,
            JWKS_URI=issuer.jwks_uri,
            UPSTREAM_URL=resource,
            POLICY_FILE=str(settings.policy_file),
        ) as (url, process),
        httpx2.Client(base_url=url, headers=bearer(token), timeout=30) as client,
    ):
        assert client.get(PATH).status_code == 200
        before = memory_of(process)
        for _ in range(callers):
            open_connections.enter_context(stalled(url, get("/accounts", token)))
            assert endless.begun.acquire(timeout=30)
        for _ in range(10):
            body = iter([b"x" * 65_536] * 16)
            assert client.post("/transfers", content=body).status_code == 413
        assert client.get(PATH).status_code == 200
        assert memory_of(process) - before < callers * 2 * MEGABYTE
