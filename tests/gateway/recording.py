"""A resource of the tests' own, served over HTTP: it keeps what reached it and answers as a test asks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

Handler = Callable[["Arrived", Receive, Send], Awaitable[None]]


@dataclass
class Arrived:
    """One request as the resource got it; `complete` says that the end of its body came."""

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = False

    def header(self, name: str) -> list[str]:
        """Return every value of a header field."""
        return [value for one, value in self.headers if one == name]


@dataclass
class RecordingResource:
    """An ASGI application that keeps what arrives; a test may put its own `handler` in."""

    handler: Handler | None = None
    arrived: list[Arrived] = field(default_factory=list)

    def reset(self) -> None:
        """Forget what arrived and answer plainly again."""
        self.handler = None
        self.arrived.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep one request and answer it."""
        if scope["type"] != "http":
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        request = Arrived(scope["method"], scope["raw_path"], scope["query_string"], headers)
        if request.path == b"/healthz":
            await answer(send, b'{"status":"ok"}')
            return
        self.arrived.append(request)
        await (self.handler or plain)(request, receive, send)


async def plain(request: Arrived, receive: Receive, send: Send) -> None:
    """Read the body to its end and answer 200."""
    await read_body(request, receive)
    await answer(send, b'{"answer":"from the resource"}')


async def read_body(request: Arrived, receive: Receive) -> None:
    """Read the request's body into it, until its end or until the sender is gone."""
    while not request.complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        request.body += message["body"]
        request.complete = not message["more_body"]


async def answer(
    send: Send, body: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send one JSON answer."""
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
