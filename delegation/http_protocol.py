"""HTTP/1.1 as every service speaks it: uvicorn's, with bounds on what a client sends and how slowly."""

from asyncio import Event
from typing import Final
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, parse_url
from uvicorn.protocols.http.flow_control import service_unavailable

from delegation.http_bounds import TimedProtocol
from delegation.http_cycle import AnswerCycle

MAX_HEAD_BYTES: Final = 64 * 1024
"""The most bytes of a request's address, header and trailer fields; also of what is not yet any of these."""

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_FIELD_OVERHEAD: Final = len(": \r\n")
_INVALID: Final = "Invalid HTTP request received."
_TOO_LONG: Final = b"The address and header fields of a request are 64 KiB at most."


class Malformed(Exception):
    """The request is not HTTP (RFC 9112 §3.2), too long, or asks for another protocol and has a body."""


class HttpProtocol(TimedProtocol):
    """Answers 431 to an endless head before it fills the memory, and 400 for want of one Host.

    `uvicorn --http delegation.http_protocol:HttpProtocol`. A head of several pieces is counted as it arrives;
    the parser keeps one unfinished field to itself, so bytes without any event of its own are counted too.
    """

    _head_bytes = 0
    _silent_bytes = 0
    _hosts = 0
    _upgrades = False

    def data_received(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        if self._refused:
            return
        self._silent_bytes += len(data)
        self._parse(data)
        if self._silent_bytes > MAX_HEAD_BYTES and not self._refused:
            self.send_400_response("")
        self._expect_the_rest()

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

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and close the connection: with 431 if it is its length."""
        if max(self._head_bytes, self._silent_bytes) <= MAX_HEAD_BYTES:
            super().send_400_response(msg)
            self._expect_taking()
            return
        self._refuse(431, _TOO_LONG)

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
