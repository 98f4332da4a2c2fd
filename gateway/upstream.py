"""The resource behind the gateway, as an HTTP client sees it.

A client of our own: aiohttp's took longer than everything else that is done for a call.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from gateway.request_body import BodyTooSlow
from gateway.upstream_connection import Connection, ConnectionLost
from gateway.upstream_fault import TimedOut, Unreachable, UpstreamFault
from gateway.upstream_places import Places

__all__ = ["Answer", "TimedOut", "Unreachable", "Upstream", "UpstreamFault"]

# Less than the time after which servers close an idle connection: a write must not meet one just closing.
_IDLE_SECONDS: Final = 4.0
# Whoever lets the resource wait for so long gives way to those who wait in line for a connection.
_PATIENCE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2
_PORTS: Final = {"http": 80, "https": 443}
_REPEATABLE: Final = frozenset({"GET", "HEAD"})


class Answer:
    """An answer whose content is still to be read: `content` gives it piece by piece, as it comes."""

    def __init__(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], content: AsyncIterator[bytes]
    ) -> None:
        """Names of `headers` are in lower case."""
        self.status = status
        self.headers = headers
        self.content = content

    def rest(self) -> bytes | None:
        """Take all that is left of the content, if its end has come; None if it has not."""
        return None


class _AnswerOn(Answer):
    """An answer that comes over a connection; its content is given by itself."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.answer.status, connection.answer.headers, self)
        self._connection = connection

    def rest(self) -> bytes | None:
        return self._connection.rest()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._connection.piece()
        if not piece:
            raise StopAsyncIteration
        return piece


class Upstream:
    """One resource at one origin; an async context manager that holds the connections."""

    def __init__(
        self,
        origin: str,
        *,
        max_connections: int,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
    ) -> None:
        """`connect_timeout_seconds` holds for the wait in line for a connection too."""
        address = urlsplit(origin)
        self._host = address.hostname or ""
        self._port = address.port or _PORTS[address.scheme]
        self._fields = f" HTTP/1.1\r\nhost: {address.netloc}\r\n"
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._connect_timeout_seconds = connect_timeout_seconds
        self._read_timeout_seconds = read_timeout_seconds
        self._places = Places(max_connections)
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._making_room: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._making_room is not None:
            self._making_room.cancel()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def answer(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        body: AsyncIterator[bytes] | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """Make one call and give the answer, as an async context manager; path and query go as they are.

        A GET is made a second time if it went out on a kept connection that breaks before the answer begins,
        which one may do at any time (RFC 9112 §9.3.1). Of an answer that comes early the rest of the body is
        not sent.

        Raises:
            UpstreamFault: no answer came, or it broke off while it was read.
            BodyTooSlow: the call gave way to another one, because its own caller was slow.
            Exception: whatever the body raised instead of giving its end.
        """
        target = f"{path}?{query}" if query else path
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
        chunked = body is not None and not any(name == "content-length" for name, _ in headers)
        framing = "transfer-encoding: chunked\r\n" if chunked else ""
        head = f"{method} {target}{self._fields}{fields}{framing}\r\n".encode("latin-1")
        if not head.count(b"\r") == head.count(b"\n") == len(headers) + chunked + 3:
            raise ValueError("a line break stands in a header field or in the address")
        return _Exchange(self, method, head, body, chunked=chunked)

    async def acquire(self) -> Connection:
        """Return a connection for one exchange, kept or new; `release` gives it back.

        Raises:
            Unreachable: there is none, or none in time.
        """
        if self._idle and self._places.take():
            kept = self._kept()
            if kept is not None:
                self._busy.add(kept)
                return kept
            self._places.give_back()
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                if not self._places.take():
                    self._look_for_room()
                    await self._places.wait()
                try:
                    connection = self._kept() or await self._connected()
                except BaseException:
                    self._places.give_back()
                    raise
        except (OSError, TimeoutError) as error:
            raise Unreachable from error
        self._busy.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take a connection back after an exchange, whatever became of it; one that gave way is back."""
        if connection not in self._busy:
            return
        self._busy.remove(connection)
        if connection.end():
            self._idle.append(connection)
        self._places.give_back()

    def _look_for_room(self) -> None:
        if self._making_room is None:
            self._making_room = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._make_room)

    def _make_room(self) -> None:
        """Break off the calls whose callers are slow, the slowest first, for those who wait in line."""
        self._making_room = None
        slow = [one for one in self._busy if one.seconds_of_caller() > _PATIENCE_SECONDS]
        slow.sort(key=Connection.seconds_of_caller, reverse=True)
        for connection in slow[: self._places.waiting]:
            connection.fail(BodyTooSlow())
            self.release(connection)
        if self._places.waiting:
            self._look_for_room()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed:
                return connection
        return None

    async def _connected(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._read_timeout_seconds, _IDLE_SECONDS),
            self._host,
            self._port,
            ssl=self._tls,
        )
        return connection


class _Exchange(AbstractAsyncContextManager[Answer]):
    """One request and its answer; leaving the context early breaks both off."""

    def __init__(
        self,
        upstream: Upstream,
        method: str,
        head: bytes,
        body: AsyncIterator[bytes] | None,
        *,
        chunked: bool,
    ) -> None:
        self._upstream = upstream
        self._method = method
        self._head = head
        self._body = body
        self._chunked = chunked
        self._sending: asyncio.Task[None] | None = None
        self._connection: Connection

    async def __aenter__(self) -> Answer:
        try:
            return await self._begun()
        except ConnectionLost as fault:
            if not fault.was_kept or self._method not in _REPEATABLE or self._body is not None:
                raise
        return await self._begun()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    async def _begun(self) -> Answer:
        connection = self._connection = await self._upstream.acquire()
        try:
            connection.send(self._method, self._head, with_body=self._body is not None)
            if self._body is not None:
                self._sending = asyncio.create_task(connection.send_body(self._body, chunked=self._chunked))
            await connection.head()
        except BaseException:
            self._leave()
            raise
        return _AnswerOn(connection)

    def _leave(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        self._upstream.release(self._connection)
