"""A backend of the suite's own, to be put behind a gateway: it remembers which headers arrived."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from tests.e2e.served import serving


class ObservedBackend:
    """An ASGI application that answers every call, and tells what the last one brought."""

    def __init__(self) -> None:
        self._last: list[tuple[str, str]] = []

    def take_headers(self) -> list[tuple[str, str]]:
        """Return the headers of the last request that arrived, names in lower case, and forget them."""
        taken, self._last = self._last, []
        return taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self._last = headers_of(scope)
        await JSONResponse({"served": scope["path"]})(scope, receive, send)


def headers_of(scope: Scope) -> list[tuple[str, str]]:
    """Return the headers of an ASGI request as text."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


@contextmanager
def serving_backend(listen: str) -> Iterator[ObservedBackend]:
    """Serve the backend at `host:port`."""
    backend = ObservedBackend()
    with serving(listen, backend, "backend.listen"):
        yield backend
