"""One answer of the resource, framed as RFC 9112 §6 has it: read by llhttp, and nothing lenient."""

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.upstream_fault import UpstreamFault

MAX_HEAD_BYTES: Final = 64 * 1024
"""The most bytes of header fields, of interim answers and of trailer fields that one answer may have."""

_BODILESS: Final = frozenset({204, 304})
_FIELD_OVERHEAD: Final = len(": \r\n")


class AnswerReader:
    """Reads the answers on one connection, one after the other: `begin`, then `feed` until `complete`.

    `status` is 0 until the head of the final answer is there. `pieces` is what has come of its content and
    has not been taken, `unread` its length in bytes. `reusable` tells whether another answer can follow on
    the connection.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin("")

    def begin(self, method: str) -> None:
        """Expect the answer to a request of this method."""
        self._method = method
        self._bytes_of_head = 0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.unread = 0
        self.begun = self.complete = False
        self.reusable = True

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection.

        Raises:
            UpstreamFault: they are no answer, or one whose end cannot be told. If its head came with them,
                there is none.
        """
        self.begun = True
        was_head = not self.status
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.reusable = False
            # What follows on a whole answer is no part of it: only the connection is of no more use.
            if not self.complete:
                self.status = 0 if was_head else self.status
                raise UpstreamFault from error
        if was_head and not self.status:
            self._count(len(data))

    def on_message_begin(self) -> None:
        """Begin an answer; there may be interim ones before the one that counts (RFC 9110 §15.2)."""
        if self.complete:
            self.reusable = False
        elif not self.status:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailer fields are dropped (RFC 9110 §6.5.1)."""
        if self.status:
            self._count(len(name) + len(value) + _FIELD_OVERHEAD)
        else:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the head, if it is a final answer's and says where its content ends (RFC 9112 §6.3)."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        lengths, codings, length_of_head = 0, [], 0
        for name, value in self.headers:
            length_of_head += len(name) + len(value) + _FIELD_OVERHEAD
            if name == b"content-length":
                lengths += 1
            elif name == b"transfer-encoding":
                codings.append(value.lower())
        if 100 <= status < 200:
            if lengths or codings:
                raise UpstreamFault  # llhttp finds a content there, and there is none (RFC 9112 §6.3)
            return
        is_framed = codings == [b"chunked"] if codings and not lengths else lengths == 1 and not codings
        without_body = status in _BODILESS or self._method == "HEAD"
        version = self._parser.get_http_version()
        if not 200 <= status < 600 or not (is_framed or without_body) or version not in {"1.0", "1.1"}:
            raise UpstreamFault
        if codings and version == "1.0":
            raise UpstreamFault  # a message of that version has no transfer coding (RFC 9112 §6.1)
        if length_of_head > MAX_HEAD_BYTES:
            raise UpstreamFault
        self.reusable = self._parser.should_keep_alive()
        if without_body and is_framed:
            # The length of a content that does not follow: not everybody who reads it knows that.
            self.headers = [
                one for one in self.headers if one[0] not in {b"content-length", b"transfer-encoding"}
            ]
            self.reusable = False
        self.complete = without_body
        self.status = status

    def on_body(self, body: bytes) -> None:
        """Take a piece of the content."""
        if not self.complete:
            self.pieces.append(body)
            self.unread += len(body)

    def on_message_complete(self) -> None:
        """Note the end of the answer; the parser tells that of an interim one too."""
        if self.status:
            self.complete = True

    def _count(self, length: int) -> None:
        self._bytes_of_head += length
        if self._bytes_of_head > MAX_HEAD_BYTES:
            self.reusable = False
            raise UpstreamFault
