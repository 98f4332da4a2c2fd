"""What fails closed and how it recovers: rule 69, and a resource that is down, slow or breaks off.

Nothing is restarted between failure and recovery, and time is moved by the test.
"""

import asyncio
import json
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Send

from delegation.signing_key import jwk_set
from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.mcp_fixtures import McpGateway
from tests.gateway.mcp_resource import headers_of, message
from tests.gateway.recording import Arrived, RecordingResource, answer, read_body
from tests.gateway.wire import connected, get, raw_resource, request
from tests.issuer import TestIssuer
from tests.serving import serve
from tests.stack.waiting import until

PATH = "/accounts/4001-01/balance"
POLICY = Path(__file__).parents[2] / "gateway" / "policy.yaml"
PROBLEMS = "https://delegation-bank.example/problems/"


@pytest.fixture
def token(issuer: TestIssuer) -> dict[str, str]:
    """The header with a token that the operation takes."""
    return bearer(issuer.delegation_token("account:read_balance"))


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_69_without_keys_every_call_is_refused_until_they_can_be_had(
    settings: Settings,
    issuer: TestIssuer,
    resource: RecordingResource,
    token: dict[str, str],
    free_port: int,
    records: Records,
) -> None:
    now = [datetime.now(UTC)]
    changed = settings.model_copy(update={"jwks_uri": f"http://127.0.0.1:{free_port}/jwks"})

    async def keys(request: Arrived, receive: Receive, send: Send) -> None:
        await answer(send, json.dumps(jwk_set(issuer.key)).encode())

    with serve(create_app(changed, lambda: now[0])) as url, httpx2.Client(base_url=url) as client:
        refused = client.get(PATH, headers=token)
        assert refused.status_code == 503
        assert refused.json()["reason"] == "The issuer's keys cannot be had."
        assert int(refused.headers["retry-after"]) > 0
        assert str(free_port) not in refused.text
        assert client.get("/readyz").json()["lacking"].keys() == {"keys"}
        assert [record["decision"] for record in records()] == ["deny"]
        assert resource.arrived == []
        with serve(RecordingResource(keys), free_port):
            now[0] += timedelta(seconds=2)
            assert client.get(PATH, headers=token).status_code == 200
            assert client.get("/readyz").status_code == 200


def test_69_without_a_sound_policy_every_call_is_refused_until_the_file_is_mended(
    settings: Settings, resource: RecordingResource, token: dict[str, str], tmp_path: Path, records: Records
) -> None:
    file = tmp_path / "policy.yaml"
    with gateway_with(settings, policy_file=file, policy_look_seconds=0.01) as client:
        for unsound in (None, "operations: [", POLICY.read_text().replace("actors:", "actor:", 1)):
            if unsound is not None:
                file.write_text(unsound)
            for headers in (token, {}):
                refused = client.get(PATH, headers=headers)
                assert refused.status_code == 503
                assert refused.json()["reason"] == "The policy cannot be had."
                assert str(file) not in refused.text
            for document in ("/.well-known/oauth-protected-resource", "/openapi.json"):
                assert client.get(document).status_code == 503
            lacking = client.get("/readyz").json()["lacking"]
            assert lacking.keys() == {"policy"}
            assert lacking["policy"].startswith(f"{file}:")
        assert {record["decision"] for record in records()} == {"deny"}
        assert resource.arrived == []
        file.write_text(POLICY.read_text())
        until(lambda: client.get(PATH, headers=token).status_code == 200, "the call is permitted")
        assert client.get("/readyz").status_code == 200


def test_a_resource_that_is_down_is_502_and_is_used_again_when_it_is_back(
    settings: Settings, token: dict[str, str], free_port: int, records: Records
) -> None:
    with gateway_with(settings, upstream_url=f"http://127.0.0.1:{free_port}") as client:
        for _ in range(2):
            refused = client.get(PATH, headers=token)
            assert refused.status_code == 502
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.json()["type"] == f"{PROBLEMS}upstream-unreachable"
            assert refused.json()["detail"].endswith("Nothing was done. Send the call again shortly.")
            assert refused.json()["operation"] == "account.read_balance"
            assert refused.headers["decision"].startswith("permit;")
            assert str(free_port) not in refused.text
            [record] = records()
            assert record["decision_id"] == refused.json()["decision_id"] == refused.headers["decision-id"]
            assert client.get("/readyz").json()["lacking"].keys() == {"upstream"}
            with serve(RecordingResource(), free_port):
                assert client.get(PATH, headers=token).status_code == 200
                assert client.get("/readyz").status_code == 200
            records()


def test_a_connection_that_is_not_made_in_time_means_that_nothing_was_done(
    settings: Settings, token: dict[str, str]
) -> None:
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):  # who comes after them is not let in: nobody accepts
            caller = waiting.enter_context(socket.socket())
            caller.settimeout(0)
            caller.connect_ex(full.getsockname())
        upstream = f"http://127.0.0.1:{full.getsockname()[1]}"
        with gateway_with(settings, upstream_url=upstream, upstream_connect_timeout_seconds=0.2) as client:
            refused = client.get(PATH, headers=token)
    assert refused.status_code == 502
    assert refused.json()["type"] == f"{PROBLEMS}upstream-unreachable"


def test_a_resource_that_does_not_answer_in_time_is_504(
    settings: Settings, resource: RecordingResource, token: dict[str, str]
) -> None:
    gone = threading.Event()

    async def silent(request: Arrived, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    resource.handler = silent
    with gateway_with(settings, upstream_read_timeout_seconds=0.1) as client:
        refused = client.get(PATH, headers=token)
    assert refused.status_code == 504
    assert refused.json()["type"] == f"{PROBLEMS}upstream-timeout"
    assert "Idempotency-Key" in refused.json()["detail"]
    assert gone.wait(5), "the call at the resource was not ended"


OK = b"HTTP/1.1 200 OK\r\n"
NO_ANSWER: dict[str, bytes] = {
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a length that is no number": OK + b"Content-Length: 1x\r\n\r\nx",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length and chunked": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "no length at all": OK + b"\r\nit could go on",
    "a chunk whose size is no number": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_what_is_no_whole_answer_is_502(sent: bytes, settings: Settings, token: dict[str, str]) -> None:
    with (
        raw_resource(lambda connection: connection.sendall(sent)) as url,
        gateway_with(settings, upstream_url=url) as client,
    ):
        refused = client.get(PATH, headers=token)
    assert refused.status_code == 502
    assert refused.json()["type"] == f"{PROBLEMS}upstream-broken"


BROKEN_OFF: dict[str, bytes] = {
    "by length": OK + b"Content-Length: 100\r\n\r\nonly this",
    "in a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "between chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
}


@pytest.mark.parametrize("sent", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_an_answer_that_breaks_off_never_looks_complete(
    sent: bytes, settings: Settings, token: dict[str, str]
) -> None:
    with (
        raw_resource(lambda connection: connection.sendall(sent)) as url,
        gateway_with(settings, upstream_url=url) as client,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        client.get(PATH, headers=token)


@pytest.mark.parametrize("end", [b"", b"not a chunk\r\n", b"5\r\nab"], ids=["silent", "malformed", "slow"])
def test_an_answer_that_stops_coming_is_cut_short_in_time(
    end: bytes, settings: Settings, token: dict[str, str]
) -> None:
    first_arrived, over = threading.Event(), threading.Event()

    def stop_coming(connection: socket.socket) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        first_arrived.wait(5)
        connection.sendall(end)
        over.wait(5)

    with (
        raw_resource(stop_coming) as url,
        gateway_with(settings, upstream_url=url, upstream_read_timeout_seconds=0.5) as client,
    ):
        with client.stream("GET", PATH, headers=token) as answer:
            pieces = answer.iter_raw()
            assert next(pieces) == b"first"
            first_arrived.set()
            with pytest.raises(httpx2.RemoteProtocolError):
                list(pieces)
        over.set()


@pytest.mark.parametrize("when", ["before the answer", "in mid-answer"])
def test_a_caller_that_goes_away_ends_the_call_at_the_resource(
    when: str, gateway: str, resource: RecordingResource, issuer: TestIssuer
) -> None:
    reached, gone = threading.Event(), threading.Event()

    async def waiting(request: Arrived, receive: Receive, send: Send) -> None:
        if when == "in mid-answer":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
        reached.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    resource.handler = waiting
    with connected(gateway) as connection:
        connection.sendall(get(PATH, issuer.delegation_token("account:read_balance")))
        assert reached.wait(5)
        while when == "in mid-answer" and b"first" not in connection.recv(65536):
            pass
        assert not gone.is_set()
    assert gone.wait(5)


DEATHS: dict[str, bytes] = {
    "while the body is sent": b"",
    "in the head of its answer": OK + b"Content-Le",
    "in mid-answer": OK + b"Content-Length: 100\r\n\r\nonly this",
}


@pytest.mark.parametrize("sent", DEATHS.values(), ids=DEATHS.keys())
def test_after_a_resource_that_dies_the_next_call_is_served(
    sent: bytes, settings: Settings, issuer: TestIssuer
) -> None:
    first = threading.Event()

    def die_once(connection: socket.socket) -> None:
        if first.is_set():
            connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")
            return
        first.set()
        connection.sendall(sent)
        # What is sent to it from now on is answered with a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    token = issuer.delegation_token("account:transfer")
    call = request("POST", "/transfers", token, "Content-Length: 9", body=b"first")
    with raw_resource(die_once) as url, gateway_with(settings, upstream_url=url) as client:
        with connected(str(client.base_url)) as connection:
            connection.sendall(call)
            told = connection.recv(65_536)
            if b"only this" in sent:
                assert told.startswith(b"HTTP/1.1 200 ")
                while connection.recv(65_536):
                    pass
            else:
                assert told.startswith(b"HTTP/1.1 502 ")
        assert client.post("/transfers", headers=bearer(token), content=b"{}").status_code == 200


def test_a_resource_that_was_restarted_is_called_again_even_with_a_write(
    settings: Settings, free_port: int, issuer: TestIssuer
) -> None:
    token = bearer(issuer.delegation_token("account:transfer"))
    with gateway_with(settings, upstream_url=f"http://127.0.0.1:{free_port}") as client:
        for _ in range(2):
            with serve(RecordingResource(), free_port):
                assert client.post("/transfers", headers=token, content=b"{}").status_code == 200


def test_while_a_resource_is_silent_others_are_answered_at_once(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    go_on = threading.Event()

    async def silent(request: Arrived, receive: Receive, send: Send) -> None:
        if request.path == PATH.encode():
            await asyncio.to_thread(go_on.wait, 30)
        await answer(send, b"{}")

    resource.handler = silent
    token = bearer(issuer.delegation_token("account:read_balance"))
    patient = {"upstream_read_timeout_seconds": 30.0, "upstream_connect_timeout_seconds": 30.0}
    with (
        gateway_with(settings, upstream_max_connections=20, **patient) as client,
        ThreadPoolExecutor(30) as callers,
    ):
        url = str(client.base_url)
        waiting = [callers.submit(httpx2.get, url + PATH, headers=token, timeout=60) for _ in range(10)]
        until(lambda: len(resource.arrived) == 10, "all of them wait")
        assert client.get("/accounts", headers=token).status_code == 200
        more = [callers.submit(httpx2.get, url + PATH, headers=token, timeout=60) for _ in range(20)]
        until(lambda: len(resource.arrived) == 21, "every connection is in use")
        for path, headers, status in [
            ("/healthz", {}, 200),
            ("/.well-known/oauth-protected-resource", {}, 200),
            (PATH, {}, 401),
            ("/nowhere", token, 404),
        ]:
            assert client.get(path, headers=headers).status_code == status
        assert not any(one.done() for one in waiting + more)
        go_on.set()
        assert {one.result().status_code for one in waiting + more} == {200}


def test_a_server_of_mcp_that_dies_or_falls_silent_is_told_in_json_rpc_or_cut_short(mcp: McpGateway) -> None:
    how: list[str] = []

    async def failing(request: Arrived, receive: Receive, send: Send) -> None:
        await read_body(request, receive)
        kind, media = how[0].split(" in ")
        if media != "the head":
            length = [(b"content-length", b"100")] if media == "JSON" else []
            field = (b"content-type", b"application/json" if length else b"text/event-stream")
            await send({"type": "http.response.start", "status": 200, "headers": [field, *length]})
            await send({"type": "http.response.body", "body": b"data: {", "more_body": True})
        if kind == "silent":
            while (await receive())["type"] != "http.disconnect":
                pass

    call = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a"}})
    with gateway_with(mcp.settings, upstream_read_timeout_seconds=1.0) as client:
        fields = headers_of(call) | bearer(mcp.token())
        assert client.post("/mcp", json=call, headers=fields).status_code == 200
        mcp.resource.handler = failing
        for kind in ("dies", "silent"):
            how[:] = [f"{kind} in the head"]
            told = client.post("/mcp", json=call, headers=fields)
            # A resource that answers nothing at all is uvicorn's 500 here, and the server's own word.
            assert told.status_code == (500 if kind == "dies" else 504)
            assert kind == "dies" or told.json()["error"]["data"]["kind"] == "upstream-timeout"
            for media in ("JSON", "events"):
                how[:] = [f"{kind} in {media}"]
                with pytest.raises(httpx2.RemoteProtocolError):
                    client.post("/mcp", json=call, headers=fields)
        mcp.resource.handler = None
        assert client.post("/mcp", json=call, headers=fields).status_code == 200
