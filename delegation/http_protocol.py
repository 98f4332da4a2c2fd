"""HTTP/1.1 as every service speaks it: uvicorn's, with a bound on what comes before a request's body."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""The most bytes of a request's address, header and trailer fields; also of what is not yet any of these."""

_FIELD_OVERHEAD: Final = len(": \r\n")
_TOO_LONG: Final = b"The address and header fields of a request are 64 KiB at most."
_LINGER_SECONDS: Final = 1.0
"""What still arrives is read and dropped for so long: to close at once could take the answer back."""


class Malformed(Exception):
    """The request is not HTTP (RFC 9112 §3.2), or too long."""


class HttpProtocol(HttpToolsProtocol):
    """Answers 431 to an endless head before it fills the memory, and 400 without exactly one Host.

    `uvicorn --http delegation.http_protocol:HttpProtocol`. A head of several pieces is counted as it arrives;
    the parser keeps one unfinished field to itself, so bytes without any event of its own are counted too.
    """

    _head_bytes = 0
    _silent_bytes = 0
    _hosts = 0
    _refused = False

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        if self._refused:
            return
        self._silent_bytes += len(data)
        super().data_received(data)
        if self._silent_bytes > MAX_HEAD_BYTES and not self._refused:
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and close the connection: with 431 if it is its length."""
        if max(self._head_bytes, self._silent_bytes) <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            return
        self._refused = True
        if self.cycle is None or self.cycle.response_complete:
            fields = [
                *self.server_state.default_headers,
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(_TOO_LONG)).encode()),
                (b"connection", b"close"),
            ]
            lines = [b"%s: %s\r\n" % field for field in fields]
            self.transport.write(b"".join([STATUS_LINE[431], *lines, b"\r\n", _TOO_LONG]))
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
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
