"""HTTP/1.1 as every service speaks it: uvicorn's, with a bound on what comes before a request's body."""

from asyncio import TimerHandle, Transport
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""The most bytes of a request's address, header and trailer fields; also of what is not yet any of these."""

IDLE_SECONDS: Final = 20
"""A connection is kept for so long without a request: longer than clients keep it (httpx2: 5 s), because one
that is closed just when it is used again loses the request."""

HEAD_SECONDS: Final = 10
"""How long address and header fields may take, from the first byte of a request to the last of its head."""

_FIELD_OVERHEAD: Final = len(": \r\n")
_TOO_LONG: Final = b"The address and header fields of a request are 64 KiB at most."
_TOO_SLOW: Final = b"The address and header fields of a request must come within 10 s."
_LINGER_SECONDS: Final = 1.0
"""What still arrives is read and dropped for so long: to close at once could take the answer back."""


class Malformed(Exception):
    """The request is not HTTP (RFC 9112 §3.2), or too long."""


class HttpProtocol(HttpToolsProtocol):
    """Answers 431 to an endless head before it fills the memory, 408 to a slow one, 400 for want of one Host.

    `uvicorn --http delegation.http_protocol:HttpProtocol`. A head of several pieces is counted as it arrives;
    the parser keeps one unfinished field to itself, so bytes without any event of its own are counted too.
    """

    _head_bytes = 0
    _silent_bytes = 0
    _hosts = 0
    _refused = False
    _in_head = False
    _head_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin, with our own bound on idleness."""
        super().connection_made(transport)
        self.timeout_keep_alive = IDLE_SECONDS
        self.timeout_keep_alive_task = self.loop.call_later(IDLE_SECONDS, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._head_is_over()

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        if self._refused:
            return
        self._silent_bytes += len(data)
        super().data_received(data)
        if self._silent_bytes > MAX_HEAD_BYTES and not self._refused:
            self.send_400_response("")
        idle = self.cycle is None or self.cycle.response_complete
        # A WebSocket has become another protocol's by now.
        if idle and self._head_timer is None and self.transport.get_protocol() is self:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and close the connection: with 431 if it is its length."""
        if max(self._head_bytes, self._silent_bytes) <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            return
        self._refuse(431, _TOO_LONG)

    def _refuse(self, status: int, text: bytes) -> None:
        self._refused = True
        if self.cycle is None or self.cycle.response_complete:
            fields = [
                *self.server_state.default_headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(text)).encode()),
                (b"connection", b"close"),
            ]
            lines = [b"%s: %s\r\n" % field for field in fields]
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", text]))
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _head_is_late(self) -> None:
        # Where no request has begun, there is none to answer.
        if self._in_head and not self._refused:
            self._refuse(408, _TOO_SLOW)
        else:
            self.transport.close()

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
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer field."""
        self._count(len(name) + len(value) + _FIELD_OVERHEAD)
        self._hosts += name.lower() == b"host"
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        if self._hosts > 1 or (self._hosts == 0 and self.parser.get_http_version() != "1.0"):
            raise Malformed
        self._head_is_over()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._silent_bytes = 0
        super().on_body(body)

    def _count(self, length: int) -> None:
        self._silent_bytes = 0
        self._head_bytes += length
        if self._head_bytes > MAX_HEAD_BYTES:
            raise Malformed
