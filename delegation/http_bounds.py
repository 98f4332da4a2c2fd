"""HTTP/1.1 as uvicorn has it, with a bound on all that a client can be slow with."""

from asyncio import TimerHandle, Transport
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

IDLE_SECONDS: Final = 20
"""A connection is kept for so long without a request: longer than clients keep it (httpx2: 5 s), because one
that is closed just when it is used again loses the request."""

HEAD_SECONDS: Final = 10
"""How long address and header fields may take, from the first byte of a request to the last of its head."""

BODY_SECONDS: Final = 20
BODY_BYTES_A_SECOND: Final = 16 * 1024
"""How long a body may take, from the head's end to its own; so many bytes of it give it a second more."""

TAKE_SECONDS: Final = 60
"""A client that takes nothing of its answer for so long is given up."""

_TOO_SLOW: Final = b"The address and header fields of a request must come within 10 s."
_BODY_TOO_SLOW: Final = b"The body of a request must come within 20 s."
_LINGER_SECONDS: Final = 1.0
"""What still arrives is read and dropped for so long: to close at once could take the answer back."""


class TimedProtocol(HttpToolsProtocol):
    """Answers 408 to a slow head or body, and ends a connection that is idle or whose answer nobody takes.

    To the application the client of a slow body has gone, and so has one that does not take its answer. Left
    to who extends it: to say when a head begins (`_in_head`) and a body did, and how much there is of it.
    """

    _refused = False
    _in_head = False
    _head_timer: TimerHandle | None = None
    _body_timer: TimerHandle | None = None
    _body_began = 0.0
    _body_bytes = 0
    _taking_timer: TimerHandle | None = None
    _idle_timer: TimerHandle | None = None
    _idle_since = 0.0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin, with our own bound on idleness."""
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._unset_timers()

    def handle_websocket_upgrade(self) -> None:
        """Give the connection to another protocol, which has bounds of its own."""
        self._unset_timers()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Hold the answer up: its client does not take it."""
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        """Let the answer go on."""
        super().resume_writing()
        self._unset_taking_timer()
        if self.transport.is_closing():
            self._expect_taking()

    def shutdown(self) -> None:
        """Close the connection, after the answer that is going on."""
        super().shutdown()
        if self.transport.is_closing():
            self._expect_taking()

    def on_response_complete(self) -> None:
        """End an answer; the last of it may have to be taken yet."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._expect_taking()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._expect_request()

    def _expect_the_rest(self) -> None:
        """Bound the time for what has begun to come: a head, or a body."""
        idle = self._is_idle()
        # A WebSocket has become another protocol's by now.
        if idle and self.transport.get_protocol() is self:
            self._expect_head()
        if not idle and self.cycle.more_body and self._body_timer is None:
            self._body_timer = self.loop.call_later(BODY_SECONDS, self._look_at_body)

    def _expect_request(self) -> None:
        # One timer serves for many requests: it looks how long there has been none.
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(IDLE_SECONDS, self._look_at_idleness)
        if self._in_head:  # it began while the answer before it was going on
            self._expect_head()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        # Where no request has begun, there is none to answer.
        if self._in_head and not self._refused:
            self._refuse(408, _TOO_SLOW)
        else:
            self._close()

    def _head_is_over(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _look_at_idleness(self) -> None:
        self._idle_timer = None
        if self._in_head or not self._is_idle() or self.transport.is_closing():
            return  # what is going on has a timer of its own, and sets this one when it has ended
        left = self._idle_since + IDLE_SECONDS - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look_at_idleness)
            return
        self._close()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _look_at_body(self) -> None:
        # One timer serves for many bodies: it looks when the present one has to be here.
        self._body_timer = None
        cycle = self.cycle
        if cycle.response_complete or not cycle.more_body or self._refused:
            return
        end = self._body_began + BODY_SECONDS + self._body_bytes / BODY_BYTES_A_SECOND
        # While nothing is read, it is not the client who is slow.
        left = max(end - self.loop.time(), 1.0 if self.flow.read_paused else 0.0)
        if left > 0:
            self._body_timer = self.loop.call_later(left, self._look_at_body)
            return
        cycle.disconnected = True
        cycle.message_event.set()
        self._refuse(408, _BODY_TOO_SLOW)

    def _expect_taking(self) -> None:
        if self not in self.connections:  # it is lost
            return
        self._unset_taking_timer()
        untaken = self.transport.get_write_buffer_size()
        self._taking_timer = self.loop.call_later(TAKE_SECONDS, self._look_at_taking, untaken)

    def _look_at_taking(self, untaken: int) -> None:
        if self.transport.get_write_buffer_size() < untaken:
            self._expect_taking()
        else:
            self.transport.abort()

    def _unset_taking_timer(self) -> None:
        if self._taking_timer is not None:
            self._taking_timer.cancel()
            self._taking_timer = None

    def _unset_timers(self) -> None:
        self._head_is_over()
        self._unset_taking_timer()
        for timer in (self._body_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()

    def _refuse(self, status: int, text: bytes) -> None:
        self._refused = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (cycle.disconnected and not cycle.response_started):
            fields = [
                *self.server_state.default_headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(text)).encode()),
                (b"connection", b"close"),
            ]
            lines = [b"%s: %s\r\n" % field for field in fields]
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", text]))
        self.loop.call_later(_LINGER_SECONDS, self._close)

    def _close(self) -> None:
        # It stays open for what is still to be sent, so for as long as that is taken.
        self.transport.close()
        self._expect_taking()
