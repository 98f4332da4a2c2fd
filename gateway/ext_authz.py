"""The decision for Envoy: its HTTP `ext_authz` asks with the caller's own request, and is told yes or no.

`gateway.envoy` writes the configuration by which Envoy asks. The decision is the door's, by the token itself:
who asks is believed nothing. A refusal is the caller's answer as it is. To call the resource is Envoy's part.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.upstream import Answer, Upstream

PREFIX: Final = b"/ext-authz"
"""What stands before the caller's path, byte for byte."""

REPEATED: Final = "x-repeated-fields"
UNPRINTABLE: Final = "x-unprintable-fields"
"""In these Envoy names the fields of which it cannot show what came: it joins what is repeated, and mends
bytes that are not UTF-8. The path is `:path`."""

_UNREADABLE: Final = b"\xff"


class NothingBehind(Upstream):
    """In the place of the resource: what is permitted is answered 200, and that is all."""

    def __init__(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @asynccontextmanager
    async def answer(
        self,
        method: str,  # noqa: ARG002 - as the resource's
        path: str,  # noqa: ARG002
        query: str = "",  # noqa: ARG002
        headers: Sequence[tuple[str, str]] = (),
        body: AsyncIterator[bytes] | None = None,  # noqa: ARG002
    ) -> AsyncIterator[Answer]:
        """Give an empty answer that carries the trace on."""
        await asyncio.sleep(0)  # no resource is quicker: by now the decision's line is printed
        trace = [(name.encode(), value.encode()) for name, value in headers if name == "traceparent"]
        yield Answer(200, (*trace, (b"content-length", b"0")), _nothing())


async def _nothing() -> AsyncIterator[bytes]:
    for piece in tuple[bytes, ...]():
        yield piece


class ExtAuthz:
    """Answers Envoy's questions, all of whose paths begin with `PREFIX`, by a door with nothing behind."""

    def __init__(self, door: ASGIApp) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one question."""
        await self._door(_as_it_came(scope), receive, send)


def _as_it_came(scope: Scope) -> Scope:
    """Return the caller's request; what Envoy could not show is something that the door refuses as well."""
    headers = list(scope["headers"])
    path = scope["raw_path"].removeprefix(PREFIX)
    for name in _named(scope, REPEATED):
        headers.append((name, _UNREADABLE))
    unprintable = _named(scope, UNPRINTABLE)
    headers = [(name, value + _UNREADABLE if name in unprintable else value) for name, value in headers]
    if b":path" in unprintable:
        path = b"/" + _UNREADABLE
    return {**scope, "raw_path": path, "path": path.decode("latin-1"), "headers": headers}


def _named(scope: Scope, field: str) -> list[bytes]:
    return [name for key, value in scope["headers"] if key == field.encode() for name in value.split()]
