"""How long a server keeps a connection on which nothing comes or goes; the rest is tested at the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from delegation import http_protocol
from delegation.http_protocol import HttpProtocol

CONTENT = b"x" * 16 * 1024 * 1024


async def large(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer more than the kernel holds for a client that does not take it, all at once."""
    length = (b"content-length", b"%d" % len(CONTENT))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": CONTENT})


class Noted(HttpProtocol):
    """Tells when its connection is lost."""

    def connection_made(self, transport: Any) -> None:
        self.lost = asyncio.Event()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


@asynccontextmanager
async def served() -> AsyncIterator[tuple[list[Noted], tuple[str, int]]]:
    """Serve `large`; give the connections that were made, and the address."""
    config = Config(large, http=HttpProtocol)
    config.load()
    made: list[Noted] = []

    def make() -> Noted:
        made.append(Noted(config=config, server_state=ServerState(), app_state={}))
        return made[-1]

    async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
        yield made, server.sockets[0].getsockname()


@pytest.mark.asyncio
async def test_an_idle_connection_is_kept_for_longer_than_our_clients_keep_it() -> None:
    """A pooled connection that the server closes just as it is used again takes the request with it."""
    async with served() as (made, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"not HTTP")
        await reader.read()
        writer.close()
    expiry = httpx2.Limits().keepalive_expiry
    assert expiry is not None
    assert made[0].timeout_keep_alive >= 2 * expiry


@pytest.mark.asyncio
@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_whose_end_nobody_takes_is_given_up(
    field: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "TAKE_SECONDS", 0.2)
    monkeypatch.setattr(http_protocol, "IDLE_SECONDS", 0.1)
    async with served() as (made, address), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n")
        assert await reader.read(1) == b"H"
        await made[0].lost.wait()
        writer.close()


@pytest.mark.asyncio
async def test_an_answer_that_is_taken_slowly_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "TAKE_SECONDS", 0.5)
    monkeypatch.setattr(http_protocol, "IDLE_SECONDS", 0.1)
    async with served() as (_, address), asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        for _ in range(8):
            await asyncio.sleep(0.1)
            await reader.readexactly(len(CONTENT) // 8)
        writer.close()
