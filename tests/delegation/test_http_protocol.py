"""How long a server keeps a connection on which nothing comes; what it refuses is tested at the gateway."""

import asyncio

import httpx2
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from delegation.http_protocol import HttpProtocol


async def _no_app(_scope: object, _receive: object, _send: object) -> None: ...


@pytest.mark.asyncio
async def test_an_idle_connection_is_kept_for_longer_than_our_clients_keep_it() -> None:
    """A pooled connection that the server closes just as it is used again takes the request with it."""
    config = Config(_no_app, http=HttpProtocol)
    config.load()
    made: list[HttpProtocol] = []

    def make() -> HttpProtocol:
        made.append(HttpProtocol(config=config, server_state=ServerState(), app_state={}))
        return made[-1]

    async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"not HTTP")
        await reader.read()
        writer.close()
    expiry = httpx2.Limits().keepalive_expiry
    assert expiry is not None
    assert made[0].timeout_keep_alive >= 2 * expiry
