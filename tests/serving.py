"""Any ASGI application, served for real over HTTP on a free port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from delegation.http_protocol import HttpProtocol


@contextmanager
def serve(app: Any, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve `app` on `host` and give its base address; `port` 0 takes a free one.

    Raises:
        RuntimeError: the application did not start.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    started = threading.Event()
    server = _Server(
        started,
        uvicorn.Config(
            app, http=HttpProtocol, log_level="warning", access_log=False, timeout_graceful_shutdown=1
        ),
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    started.wait(30)
    if not server.started:
        raise RuntimeError("the application did not start; see its log above")
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


class _Server(uvicorn.Server):
    def __init__(self, ready: threading.Event, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self._ready.set()
