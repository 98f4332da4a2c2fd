"""One trace id from the browser's click to the ledger (W3C Trace Context)."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from delegation.random_ids import ordered_id, random_id

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}\Z")


class Trace(NamedTuple):
    """This service's place in a trace: ids in lower-case hex, 32 and 16 digits."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """Return the header value that hands the trace on (W3C Trace Context §3.2)."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def start_trace(trace_id: str | None = None) -> Trace:
    """Begin a span in the given trace, or in a new one, and make it the current one of this context."""
    trace = Trace(trace_id or ordered_id(), random_id()[:16])
    _current.set(trace)
    return trace


def current_trace() -> Trace:
    """Return the current trace; begin one where there is none."""
    return _current.get() or start_trace()


def current_trace_id() -> str:
    """Return the current trace's id, 32 hex digits."""
    return current_trace().trace_id


def outgoing_headers() -> dict[str, str]:
    """Return the headers that hand the current trace on to the next service."""
    return {"traceparent": current_trace().traceparent}


def incoming_trace_id(traceparent: str | None) -> str | None:
    """Return the trace id of a `traceparent` value, or None if it is absent or malformed."""
    match = _TRACEPARENT.match(traceparent or "")
    return match.group(1) if match else None


class TraceMiddleware:
    """Takes over the caller's trace for each request, or begins one (W3C Trace Context §4)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            start_trace(_trace_id_of(scope["headers"]))
        await self._app(scope, receive, send)


def _trace_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"traceparent":
            return incoming_trace_id(value.decode("latin-1"))
    return None
