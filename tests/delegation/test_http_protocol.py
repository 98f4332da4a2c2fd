"""How long a server keeps a connection on which nothing comes or goes; the rest is tested at the gateway."""

import asyncio
import socket
from typing import Any

import httpx2
import pytest

from delegation import http_bounds
from tests.delegation.http_served import served

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CONTENT = b"x" * 16 * 1024 * 1024


async def large(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer more than the kernel holds for a client that does not take it, all at once."""
    length = (b"content-length", b"%d" % len(CONTENT))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": CONTENT})


async def small(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"small"})


def test_an_idle_connection_is_kept_for_longer_than_our_clients_keep_it() -> None:
    """A pooled connection that the server closes just as it is used again takes the request with it."""
    expiry = httpx2.Limits().keepalive_expiry
    assert expiry is not None
    assert 2 * expiry <= http_bounds.IDLE_SECONDS


@pytest.mark.asyncio
async def test_idleness_is_counted_from_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_bounds, "IDLE_SECONDS", 1.0)
    loop = asyncio.get_running_loop()
    async with served(small) as (_, address), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(2):
            await asyncio.sleep(0.6)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"small")
        answered = loop.time()
        assert await reader.read() == b""
        assert loop.time() - answered > 0.9
        writer.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_whose_end_nobody_takes_is_given_up(
    field: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "TAKE_SECONDS", 0.2)
    monkeypatch.setattr(http_bounds, "IDLE_SECONDS", 0.1)
    async with served(large) as (made, address), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n")
        assert await reader.read(1) == b"H"
        await made[0].lost.wait()
        writer.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "then",
    [b"\0", b"GET / HT", b"GET /breaks HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", None],
    ids=["no HTTP", "half a head", "an answer that breaks off", "an empty line", "the server's end"],
)
async def test_a_little_that_nobody_takes_keeps_no_connection(
    then: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        own = made[0].transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        length = (b"content-length", b"30000")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        if scope["path"] == "/breaks":
            raise ValueError
        await send({"type": "http.response.body", "body": CONTENT[:30_000]})

    for bound in ("TAKE_SECONDS", "IDLE_SECONDS", "HEAD_SECONDS", "_LINGER_SECONDS"):
        monkeypatch.setattr(http_bounds, bound, 0.1)
    async with served(app) as (made, address), asyncio.timeout(5):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(address)
            for _ in range(2):
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await asyncio.sleep(0.01)
            if then is None:
                made[0].shutdown()
            else:
                client.sendall(then)
            await made[0].lost.wait()


@pytest.mark.asyncio
async def test_an_answer_that_is_taken_slowly_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_bounds, "TAKE_SECONDS", 0.5)
    monkeypatch.setattr(http_bounds, "IDLE_SECONDS", 0.1)
    async with served(large) as (_, address), asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        for _ in range(8):
            await asyncio.sleep(0.1)
            await reader.readexactly(len(CONTENT) // 8)
        writer.close()


@pytest.mark.asyncio
async def test_a_head_that_begins_during_an_answer_must_come_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_bounds, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http_bounds, "IDLE_SECONDS", 0.1)
    async with served(small) as (_, address), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        answers = await reader.read()
        assert answers.index(b"small") < answers.index(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.asyncio
async def test_a_websocket_has_no_bound_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def echo(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "bytes": message["bytes"]})

    monkeypatch.setattr(http_bounds, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(http_bounds, "IDLE_SECONDS", 0.1)
    async with served(echo) as (_, address), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.3)
        writer.write(b"\x82\x82\0\0\0\0hi")  # a binary frame of two bytes, masked with zeros
        assert await reader.readexactly(4) == b"\x82\x02hi"
        writer.close()


@pytest.mark.asyncio
async def test_no_websocket_begins_before_an_answer_has_ended() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await small(scope, receive, send)

    async with served(slow) as (_, address), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + UPGRADE + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(2):
            assert (await reader.readuntil(b"small")).startswith(b"HTTP/1.1 200 ")
        writer.close()
