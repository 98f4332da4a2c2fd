"""One request and its answer, as uvicorn has them; head and body of an answer go out together."""

import re
from asyncio import AbstractEventLoop
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

_FIELD_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_IN_HEAD: Final = bytes({*b"\t\r\n", *range(0x20, 0x7F), *range(0x80, 0x100)})
_WITHOUT_CONTENT: Final = frozenset({204, 304})
_MOST_JOINED_BYTES: Final = 16 * 1024
"""What is longer is not copied to save a system call."""


class AnswerCycle(RequestResponseCycle):
    """Holds an answer's head until the first of its body comes, or the event loop's turn is over.

    So most answers are one system call, and whoever reads them wakes up once.
    """

    loop: AbstractEventLoop
    _head = b""

    async def run_asgi(self, app: ASGIApp) -> None:  # type: ignore[override]
        """Answer the request; of an answer without its end, the server hears too."""
        ended = self.on_response
        await super().run_asgi(app)  # type: ignore[arg-type]
        if not self.response_complete and self.transport.is_closing():
            ended()

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Send the head of an answer, or a piece of its body (ASGI).

        Raises:
            RuntimeError: the application broke the protocol, or a field has a character that it may not.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        expected = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != expected or self.response_complete:
            raise RuntimeError(f"the application sent {message['type']} when it was not its turn")
        if self.response_started:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    def _begin(self, status: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
        lines, closes = [STATUS_LINE[status]], False
        length, chunked = 0, None
        for written, value in (*self.default_headers, *fields):
            name = _field_name(written)
            if name == b"content-length" and chunked is None:
                length, chunked = int(value), False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                length, chunked = 0, True
            elif name == b"connection" and b"close" in map(bytes.strip, value.lower().split(b",")):
                closes = True
            lines.append(b"%b: %b\r\n" % (name, value))
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if chunked is None and self.scope["method"] != "HEAD" and status not in _WITHOUT_CONTENT:
            chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        # A line break within a value would begin a field of somebody else's (RFC 9110 §5.5).
        if head.translate(None, _IN_HEAD) or not head.count(b"\r") == head.count(b"\n") == len(lines):
            raise RuntimeError("a header field has a character that may not stand there")
        self.keep_alive = self.keep_alive and not closes
        self.expected_content_length, self.chunked_encoding = length, chunked
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.access_log:
            self._log(status)
        self._head = head
        self.loop.call_soon(self._flush)

    def _log(self, status: int) -> None:
        caller, path = get_client_addr(self.scope), get_path_with_query_string(self.scope)
        line = '%s - "%s %s HTTP/%s" %d'
        self.access_logger.info(line, caller, self.scope["method"], path, self.scope["http_version"], status)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        data = body
        if self.scope["method"] == "HEAD":
            self.expected_content_length, data = 0, b""
        elif self.chunked_encoding:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data = data if more else data + b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the content is longer than the answer's content-length")
        if len(data) > _MOST_JOINED_BYTES:
            self._flush()
        head, self._head = self._head, b""
        if head or data:
            self.transport.write(head + data)
        if not more:
            self._end()

    def _end(self) -> None:
        if self.expected_content_length:
            raise RuntimeError("the content is shorter than the answer's content-length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self.transport.is_closing():
            self.transport.write(head)


@lru_cache(maxsize=1000)
def _field_name(name: bytes) -> bytes:
    if not _FIELD_NAME.match(name):
        raise RuntimeError("the name of a header field has a character that may not stand there")
    return name.lower()
