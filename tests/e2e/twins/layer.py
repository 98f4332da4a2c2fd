"""A layer around a service that sees whole requests and whole answers, and may change either."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.e2e.evidence import Fields
from tests.e2e.in_process import Wrap
from tests.e2e.oauth_client import changed


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """Return the parameters of a form, the first of each name."""
        return dict(reversed(self.fields))

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return the parameters of a form, as they were sent."""
        return parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)

    def with_form(self, **changes: str | list[str] | None) -> Request:
        """Return the request with some parameters of its form changed; None leaves one out."""
        return self.with_fields(changed(self.fields, **changes))

    def with_fields(self, fields: Fields) -> Request:
        """Return the request with another form."""
        headers = [(n, v) for n, v in self.headers if n not in {"content-type", "content-length"}]
        body = urlencode(fields).encode()
        headers += [("content-type", "application/x-www-form-urlencoded"), ("content-length", str(len(body)))]
        return replace(self, headers=tuple(headers), body=body)

    def with_query(self, query: str) -> Request:
        """Return the request with another query."""
        return replace(self, query=query)

    def with_headers(self, **changes: str | None) -> Request:
        """Return the request with some headers changed; `_` in a name stands for `-`, None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return replace(self, headers=tuple(changed(self.headers, **named)))

    @property
    def is_exchange(self) -> bool:
        """Tell whether this is a token exchange."""
        return self.path == "/token" and self.form.get("grant_type", "").endswith(":token-exchange")


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. Header names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def with_json(self, **changes: Any) -> Response:
        """Return the answer with some members of its body changed; None leaves one out."""
        members = {name: value for name, value in (self.json | changes).items() if value is not None}
        return self.with_body(json.dumps(members).encode())

    def with_body(self, body: bytes) -> Response:
        """Return the answer with another body."""
        kept = [(n, v) for n, v in self.headers if n != "content-length"]
        return replace(self, headers=(*kept, ("content-length", str(len(body)))), body=body)

    def with_headers(self, **changes: str | None) -> Response:
        """Return the answer with some headers changed; `_` in a name stands for `-`, None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return replace(self, headers=tuple(changed(self.headers, **named)))


def json_response(status: int, **members: Any) -> Response:
    """Return an answer that never reached the service."""
    body = json.dumps(members).encode()
    headers = (("content-type", "application/json"), ("cache-control", "no-store"))
    return Response(status, (*headers, ("content-length", str(len(body)))), body)


Forward = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Request, Forward], Awaitable[Response]]


def layer(handler: Handler) -> Wrap:
    """Return how to lay a handler around an application; it may ask the application as often as it likes."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def layered(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return

            async def forward(request: Request) -> Response:
                return await _ask(app, scope, request)

            answer = await handler(await _read(scope, receive), forward)
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})

        return layered

    return wrap


async def _read(scope: Scope, receive: Receive) -> Request:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return Request(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body)


async def _ask(app: ASGIApp, scope: Scope, request: Request) -> Response:
    changed_scope = dict(scope) | {
        "method": request.method,
        "path": request.path,
        "raw_path": scope["raw_path"] if request.path == scope["path"] else request.path.encode(),
        "query_string": request.query.encode("latin-1"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
    }
    messages = iter([{"type": "http.request", "body": request.body, "more_body": False}])
    answered = asyncio.Event()
    status, headers, parts = 500, [], []

    async def receive() -> Message:
        for message in messages:
            return message
        await answered.wait()  # until then the caller is there: an application may watch for that
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], message["headers"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                answered.set()

    await app(changed_scope, receive, send)
    decoded = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return Response(status, decoded, b"".join(parts))
