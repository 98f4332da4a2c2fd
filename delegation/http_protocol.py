"""HTTP/1.1 as every service speaks it: uvicorn's, with a bound on all that a client can be slow with."""

from asyncio import Event, TimerHandle, Transport
from typing import Final
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, parse_url
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from delegation.http_cycle import AnswerCycle

MAX_HEAD_BYTES: Final = 64 * 1024
"""The most bytes of a request's address, header and trailer fields; also of what is not yet any of these."""

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

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_FIELD_OVERHEAD: Final = len(": \r\n")
_INVALID: Final = "Invalid HTTP request received."
_TOO_LONG: Final = b"The address and header fields of a request are 64 KiB at most."
_TOO_SLOW: Final = b"The address and header fields of a request must come within 10 s."
_BODY_TOO_SLOW: Final = b"The body of a request must come within 20 s."
_LINGER_SECONDS: Final = 1.0
"""What still arrives is read and dropped for so long: to close at once could take the answer back."""


class Malformed(Exception):
    """The request is not HTTP (RFC 9112 §3.2), too long, or asks for another protocol and has a body."""


class HttpProtocol(HttpToolsProtocol):
    """Answers 431 to an endless head before it fills the memory, 408 to a slow one, 400 for want of one Host.

    A slow body is 408, too; to the application its client has gone then, and so has one that does not take
    its answer.

    `uvicorn --http delegation.http_protocol:HttpProtocol`. A head of several pieces is counted as it arrives;
    the parser keeps one unfinished field to itself, so bytes without any event of its own are counted too.
    """

    _head_bytes = 0
    _silent_bytes = 0
    _hosts = 0
    _refused = False
    _in_head = False
    _upgrades = False
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

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        if self._refused:
            return
        self._silent_bytes += len(data)
        self._parse(data)
        if self._silent_bytes > MAX_HEAD_BYTES and not self._refused:
            self.send_400_response("")
        idle = self._is_idle()
        # A WebSocket has become another protocol's by now.
        if idle and self.transport.get_protocol() is self:
            self._expect_head()
        if not idle and self.cycle.more_body and self._body_timer is None:
            self._body_timer = self.loop.call_later(BODY_SECONDS, self._look_at_body)

    def _parse(self, data: bytes) -> None:
        """Do as uvicorn does, but drop nothing: after a request to upgrade that is passed over, another."""
        rest = memoryview(data)  # of which nothing is copied, however many requests there are
        while rest:
            try:
                self.parser.feed_data(rest)
            except HttpParserUpgrade as end:
                if self._upgrades:
                    self.handle_websocket_upgrade()
                    return
                rest = rest[end.args[0] :]
            except HttpParserError:
                self.logger.warning(_INVALID)
                self.send_400_response(_INVALID)
                return
            else:
                return

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

    def _look_at_idleness(self) -> None:
        self._idle_timer = None
        if self._in_head or not self._is_idle() or self.transport.is_closing():
            return  # what is going on has a timer of its own, and sets this one when it has ended
        left = self._idle_since + IDLE_SECONDS - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look_at_idleness)
            return
        self._close()

    def _close(self) -> None:
        # It stays open for what is still to be sent, so for as long as that is taken.
        self.transport.close()
        self._expect_taking()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and close the connection: with 431 if it is its length."""
        if max(self._head_bytes, self._silent_bytes) <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            self._expect_taking()
            return
        self._refuse(431, _TOO_LONG)

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

    def _head_is_late(self) -> None:
        # Where no request has begun, there is none to answer.
        if self._in_head and not self._refused:
            self._refuse(408, _TOO_SLOW)
        else:
            self._close()

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

    def _unset_timers(self) -> None:
        self._head_is_over()
        self._unset_taking_timer()
        for timer in (self._body_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()

    def _unset_taking_timer(self) -> None:
        if self._taking_timer is not None:
            self._taking_timer.cancel()
            self._taking_timer = None

    def _head_is_over(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._silent_bytes = self._hosts = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the address, which has no fragment (RFC 9112 §3.2)."""
        if b"#" in url:
            raise Malformed
        self._count(len(url))
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; a trailer field is dropped, for it may not become one (RFC 9110 §6.5.1)."""
        self._count(len(name) + len(value) + _FIELD_OVERHEAD)
        if not self._in_head:
            return
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin the request."""
        if self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() != "1.0"):
            raise Malformed
        self._head_is_over()
        self._body_began, self._body_bytes = self.loop.time(), 0
        self._begin_cycle()

    def _begin_cycle(self) -> None:
        """Do as uvicorn does, with a cycle of our own."""
        scope, parser = self.scope, self.parser
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version = parser.get_http_version()
        # The parser takes the body of such a request for the other protocol's bytes, or for the next request.
        if parser.should_upgrade() and any(
            name in _FRAMING and value != b"0" for name, value in self.headers
        ):
            raise Malformed
        # While an answer is going on, another protocol would speak before its end: then we go on as we were,
        # which is allowed (RFC 9110 §7.8).
        self._upgrades = self._is_idle() and parser.should_upgrade() and super()._should_upgrade()
        if self._upgrades:
            return
        url = parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode() + url.path
        scope["query_string"] = url.query or b""
        limit = self.limit_concurrency
        has_room = limit is None or max(len(self.connections), len(self.tasks)) < limit
        app = self.app if has_room else service_unavailable
        before = self.cycle
        cycle = self.cycle = AnswerCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.loop = self.loop
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, app)
        else:  # requests that do not wait for the answers before
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))

    def _should_upgrade(self) -> bool:
        return self._upgrades

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._silent_bytes = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def _count(self, length: int) -> None:
        self._silent_bytes = 0
        self._head_bytes += length
        if self._head_bytes > MAX_HEAD_BYTES:
            raise Malformed
