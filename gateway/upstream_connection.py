"""One connection to the resource: a request and its answer at a time, both as they come."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from gateway.upstream_answer import AnswerReader
from gateway.upstream_fault import TimedOut, UpstreamFault

_MAX_UNREAD_BYTES: Final = 64 * 1024
"""So much of an answer is held for a slow caller before the resource has to wait."""


class ConnectionLost(UpstreamFault):
    """The connection ended; `was_kept`: after earlier exchanges, and before anything of this answer came."""

    def __init__(self, *, was_kept: bool) -> None:
        super().__init__()
        self.was_kept = was_kept


class Connection(asyncio.Protocol):
    """Carries one exchange after the other; between them it closes itself after `idle_seconds`.

    Whoever waits for the resource waits for `read_seconds` at most: for the head of an answer as a whole,
    and for each piece of its content. A caller that is slow itself is not the resource's fault.
    """

    def __init__(self, read_seconds: float, idle_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._read_seconds = read_seconds
        self._idle_seconds = idle_seconds
        self._transport: asyncio.Transport
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._is_reading = True
        self._is_idle = True
        self._is_sent = True
        self._unsent_head = b""
        self._caller_since: float | None = None
        self._caller_seconds = 0.0
        self.is_closed = False
        self._exchanges = 0
        self.answer = AnswerReader()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """End: whatever was going on has failed."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        self.fail(ConnectionLost(was_kept=self._exchanges > 1 and not self.answer.begun))

    def data_received(self, data: bytes) -> None:
        """Take the next bytes; those that answer nothing end the connection."""
        if self._is_idle or self.answer.complete:
            self.close()
            return
        try:
            self.answer.feed(data)
        except UpstreamFault as fault:
            self.fail(fault)
            return
        if self.answer.pieces or self.answer.status:
            self._wake()
        if self.answer.unread > _MAX_UNREAD_BYTES and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Hold the request's body back: the resource is slow."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the request's body go on."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # What the exchange calls.

    def send(self, method: str, head: bytes, *, with_body: bool) -> None:
        """Send the head of a request; with a body, `send_body` sends both."""
        self._exchanges += 1
        self._is_idle = False
        self._is_sent = not with_body
        self._fault = None
        self._caller_seconds = 0.0
        self._caller_since = self._loop.time() if with_body else None
        self.answer.begin(method)
        if with_body:
            self._unsent_head = head
        else:
            self._transport.write(head)

    async def send_body(self, pieces: AsyncIterator[bytes], *, chunked: bool) -> None:
        """Send a request with a body, as that comes. Whatever keeps it from its end, fails the exchange.

        The head waits for the first piece: of a body that is refused at once the resource hears nothing.
        """
        try:
            async for piece in pieces:
                if self.is_closed:
                    return
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if self._writable is not None:
                    self._caller_has_done()
                    await self._writable
                    self._caller_since = self._loop.time()
            self._write(b"0\r\n\r\n" if chunked else b"")
            self._is_sent = True
            self._caller_has_done()
        except Exception as error:  # noqa: BLE001 - what it is, concerns whoever waits for the answer
            self.fail(error)

    def _write(self, data: bytes) -> None:
        self._transport.write(self._unsent_head + data)
        self._unsent_head = b""
        self._deadline = self._loop.time() + self._read_seconds

    async def head(self) -> None:
        """Wait for the head of the answer.

        Raises:
            UpstreamFault: there is none, or none in time.
        """
        while not self.answer.status:
            await self._wait()

    async def piece(self) -> bytes:
        """Return what has come of the answer's content, waiting for some; nothing at its end.

        Raises:
            UpstreamFault: the end did not come, or the next piece not in time.
        """
        answer = self.answer
        self._caller_has_done()
        while not answer.pieces:
            if answer.complete:
                return b""
            await self._wait()
        self._caller_since = self._loop.time()
        return self._taken()

    def rest(self) -> bytes | None:
        """Take all that is left of the answer's content, if its end has come; None if it has not."""
        return self._taken() if self.answer.complete else None

    def _taken(self) -> bytes:
        pieces, self.answer.pieces, self.answer.unread = self.answer.pieces, [], 0
        if not self._is_reading and not self.is_closed:
            self._is_reading = True
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def seconds_of_caller(self) -> float:
        """Tell how long this exchange has had to wait for its caller to send its body or take its answer."""
        since = self._caller_since
        return self._caller_seconds + (self._loop.time() - since if since is not None else 0.0)

    def end(self) -> bool:
        """End the exchange; tells whether the connection can carry another, which it then waits for."""
        answer = self.answer
        if not (answer.complete and answer.reusable and self._is_sent and self._is_reading) or self.is_closed:
            self.close()
            return False
        self._is_idle = True
        self._expect_until(self._loop.time() + self._idle_seconds)
        return True

    def fail(self, fault: Exception) -> None:
        """Break the exchange off: nothing more is read or written."""
        if self._fault is None:
            self._fault = fault
        self._wake()
        self.close()

    def close(self) -> None:
        """Close the connection, without waiting for what is still to be sent."""
        if not self.is_closed:
            self.is_closed = True
            self._transport.abort()

    def _caller_has_done(self) -> None:
        if self._caller_since is not None:
            self._caller_seconds, self._caller_since = self.seconds_of_caller(), None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._expect_until(self._loop.time() + self._read_seconds)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _expect_until(self, deadline: float) -> None:
        # One timer serves for many calls: it looks again when it finds that its time has been put off.
        self._deadline = deadline
        if self._timer is None or self._timer.when() > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.is_closed:
            return
        if not self._is_sent and self._writable is None:  # it is the caller that is waited for
            self._deadline = self._loop.time() + self._read_seconds
        if self._loop.time() < self._deadline:
            self._expect_until(self._deadline)
        elif self._is_idle:
            self.close()
        elif self._waiter is not None:
            self.fail(TimedOut())
