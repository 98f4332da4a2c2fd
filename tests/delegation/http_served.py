"""An ASGI application, served by our HTTP protocol in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from delegation.http_protocol import HttpProtocol


class Noted(HttpProtocol):
    """Tells when its connection is lost, and what was written, call by call."""

    def connection_made(self, transport: Any) -> None:
        self.lost = asyncio.Event()
        self.written: list[bytes] = []
        super().connection_made(transport)
        self.transport = _Noting(transport, self.written)  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


class _Noting:
    """A transport, and what is written to it."""

    def __init__(self, transport: Any, written: list[bytes]) -> None:
        self._transport = transport
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._written.append(data)
        self._transport.write(data)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[tuple[list[Noted], tuple[str, int]]]:
    """Serve an ASGI application; give the connections that were made, and the address."""
    config = Config(app, http=HttpProtocol, interface="asgi3", access_log=False)
    config.load()
    made: list[Noted] = []

    def make() -> Noted:
        made.append(Noted(config=config, server_state=ServerState(), app_state={}))
        return made[-1]

    async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
        yield made, server.sockets[0].getsockname()
