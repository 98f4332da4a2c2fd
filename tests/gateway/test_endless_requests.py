"""Requests that never come to their end, and those without one Host: the server's answers, before the door's.

The gateway stands for all services here: each is started with the same protocol class.
"""

import json
import os
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest

from delegation import http_bounds
from tests.gateway.recording import RecordingResource
from tests.gateway.wire import connected, exchange, get, request
from tests.issuer import TestIssuer

REPOSITORY = Path(__file__).parents[2]
MEGABYTE = 1024 * 1024
IDLE_CONNECTIONS = 10_000
HEAD = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n"


def answer(connection: socket.socket) -> tuple[int, str | None]:
    """Read one answer: its status, and what it says of the connection."""
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status, response.getheader("connection")


def stream(connection: socket.socket, *pieces: bytes) -> int:
    """Send the pieces, again and again: a megabyte, or until there is an answer; returns how much."""
    sent = 0
    with suppress(OSError):
        while sent < MEGABYTE and not select.select([connection], [], [], 0)[0]:
            for piece in pieces:
                connection.sendall(piece)
                sent += len(piece)
    return sent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def as_in_the_demo(port: int) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "deploy.service", "gateway", str(port)], {}


def as_in_the_image(port: int) -> tuple[list[str], dict[str, str]]:
    dockerfile = (REPOSITORY / "gateway" / "Dockerfile").read_text().replace("\\\n", "")
    [entrypoint] = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)
    command = [sys.executable if word == "python" else word for word in json.loads(entrypoint)]
    return [{"8503": str(port), "0.0.0.0": "127.0.0.1"}.get(word, word) for word in command], {}


@contextmanager
def started(
    way: Callable[[int], tuple[list[str], dict[str, str]]], **settings: str
) -> Iterator[tuple[str, int]]:
    """Start a gateway; give its address and its process id."""
    port = free_port()
    command, environment = way(port)
    with (
        tempfile.TemporaryDirectory() as data,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=os.environ | environment | settings | {"DATA_DIR": data},
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            for _ in range(300):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert process.poll() is None, "the gateway did not start"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


@pytest.mark.parametrize("way", [as_in_the_demo, as_in_the_image])
def test_a_started_gateway_refuses_a_megabyte_of_headers(
    way: Callable[[int], tuple[list[str], dict[str, str]]],
) -> None:
    with started(way) as (url, _), connected(url) as connection:
        connection.sendall(HEAD)
        stream(connection, b"X-Filler: " + b"x" * 1000 + b"\r\n")
        assert answer(connection) == (431, "close")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HEAD, b"X-Filler: " + b"x" * 1000 + b"\r\n"], id="header fields"),
        pytest.param([HEAD + b"X-Filler: ", b"x" * 1000], id="a header field"),
        pytest.param([HEAD, b"a:\r\n" * 100], id="empty header fields"),
        pytest.param([b"GET /", b"x" * 1000], id="an address"),
        pytest.param([b"", b"\r\n" * 1000], id="empty lines"),
    ],
)
def test_431_is_the_answer_to_an_endless_line_of(gateway: str, pieces: list[bytes]) -> None:
    with connected(gateway) as connection:
        connection.sendall(pieces[0])
        stream(connection, pieces[1])
        assert answer(connection) == (431, "close")
        assert exchange(gateway, HEAD + b"\r\n").status_code == 200


def test_a_head_that_is_too_long_is_refused_also_when_it_comes_at_once(gateway: str) -> None:
    assert exchange(gateway, HEAD + b"X-Filler: " + b"x" * 65_536 + b"\r\n\r\n").status_code == 431
    assert exchange(gateway, HEAD + b"X-Filler: " + b"x" * 64_000 + b"\r\n\r\n").status_code == 200


@pytest.mark.parametrize("fields", [1, 6000], ids=["in one field", "in many fields"])
@pytest.mark.parametrize("path", ["/accounts", "/mcp"])
def test_64_kib_of_header_fields_are_read_and_not_passed_on_and_more_are_431(
    path: str, fields: int, gateway: str, resource: RecordingResource, issuer: TestIssuer
) -> None:
    token = issuer.delegation_token("account:read_balance")
    for length, status in ((62_000, 200 if path == "/accounts" else 405), (66_000, 431)):
        field = "A:" + "x" * (length // fields - len("A: \r\n"))
        assert exchange(gateway, get(path, token, *[field] * fields)).status_code == status
    assert [one.header("a") for one in resource.arrived] == ([[]] if path == "/accounts" else [])


def test_endless_trailers_end_the_connection(gateway: str) -> None:
    with connected(gateway) as connection:
        connection.sendall(HEAD.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        connection.sendall(b"X-Filler: x\r\n" * 10_000)
        while connection.recv(65_536):
            pass


@pytest.mark.parametrize(
    ("begun", "answered"),
    [
        pytest.param(HEAD, (408, "close"), id="a head without an end"),
        pytest.param(b"GET /heal", (408, "close"), id="half an address"),
        pytest.param(b"\r\n", None, id="an empty line"),
    ],
)
def test_a_head_that_does_not_come_to_its_end_is_given_up(
    gateway: str, monkeypatch: pytest.MonkeyPatch, begun: bytes, answered: tuple[int, str] | None
) -> None:
    monkeypatch.setattr(http_bounds, "HEAD_SECONDS", 0.3)
    with connected(gateway) as connection:
        connection.sendall(begun)
        slowly(connection, b"X" if b"GET" in begun else b"\r\n")
        if answered:
            assert answer(connection) == answered
        assert connection.recv(1) == b""


def slowly(connection: socket.socket, piece: bytes) -> None:
    """Send a piece again and again, with pauses, until there is an answer."""
    with suppress(OSError):
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(piece)


def test_a_connection_on_which_nothing_comes_is_closed(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_bounds, "IDLE_SECONDS", 0.3)
    with connected(gateway) as connection:
        assert connection.recv(1) == b""
    with connected(gateway) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert answer(connection) == (200, None)
        assert connection.recv(1) == b""


def test_a_slow_body_is_no_slow_head(
    gateway: str, monkeypatch: pytest.MonkeyPatch, issuer: TestIssuer
) -> None:
    monkeypatch.setattr(http_bounds, "HEAD_SECONDS", 0.2)
    body, token = b'{"amount": 1}', issuer.delegation_token("account:transfer")
    with connected(gateway) as connection:
        connection.sendall(request("POST", "/transfers", token, f"Content-Length: {len(body)}"))
        for piece in (body[:5], body[5:10], body[10:]):
            select.select([connection], [], [], 0.3)
            connection.sendall(piece)
        assert answer(connection) == (200, None)


def test_a_connection_is_kept_for_request_after_request(gateway: str) -> None:
    with connected(gateway) as connection:
        for _ in range(20):
            connection.sendall(HEAD + b"X-Filler: " + b"x" * 10_000 + b"\r\n\r\n")
            assert answer(connection) == (200, None)


def memory_of(process: int) -> int:
    """Return the bytes of memory that a process has in use."""
    status = Path(f"/proc/{process}/status").read_text()
    [kilobytes] = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Only Linux tells a process's memory.")
def test_ten_thousand_connections_on_which_nothing_comes_disturb_nobody() -> None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = IDLE_CONNECTIONS + 500
    if allowed[1] < needed:
        pytest.skip(f"This user may have {allowed[1]} open files, and {needed} are needed.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed[0], needed), allowed[1]))
    with ExitStack() as open_connections, started(as_in_the_demo) as (url, process):
        assert exchange(url, HEAD + b"\r\n").status_code == 200
        before = memory_of(process)
        for _ in range(IDLE_CONNECTIONS):
            open_connections.enter_context(connected(url))
        for _ in range(20):
            assert exchange(url, HEAD + b"\r\n").status_code == 200
        assert memory_of(process) - before < IDLE_CONNECTIONS * 30_000
    resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nHOST: b\r\n"])
def test_a_request_without_exactly_one_host_is_answered_400(gateway: str, hosts: bytes) -> None:
    for path in (b"/healthz", b"/accounts"):
        assert exchange(gateway, b"GET " + path + b" HTTP/1.1\r\n" + hosts + b"\r\n").status_code == 400


def test_http_1_0_needs_no_host(gateway: str) -> None:
    assert exchange(gateway, b"GET /healthz HTTP/1.0\r\n\r\n").status_code == 200
    assert exchange(gateway, b"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n").status_code == 400
