"""A request body as it arrives: never longer than the limit, held only where a condition must know it."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive


class BodyTooLong(Exception):
    """The body has more bytes than the limit, which shows only as it comes."""

    status = 413
    kind = "content-too-large"
    reason = "The body is longer than what may pass here."
    next_step = "Send a shorter one; the resource did not get the whole of this one."


class CallerGone(Exception):
    """The caller closed the connection before its body was complete."""


class RequestBody:
    """The body of one ASGI request; `limit` is in bytes.

    `content` gives it piece by piece, each as soon as it is here, and is None where there is none. It raises
    `BodyTooLong` in the place of the piece that passes the limit, and `CallerGone` when the rest will never
    come; `fault` keeps which, for who hears of it only through an HTTP client's errors.
    """

    def __init__(self, receive: Receive, *, present: bool, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._over = asyncio.Event()
        self.fault: BodyTooLong | CallerGone | None = None
        self.content = self.pieces() if present else None
        if not present:
            self._over.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece."""
        length, more = 0, True
        try:
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self.fault = CallerGone()
                    raise self.fault
                piece, more = message.get("body", b""), message.get("more_body", False)
                length += len(piece)
                if length > self._limit:
                    self.fault = BodyTooLong()
                    raise self.fault
                if piece:
                    yield piece
        finally:
            self._over.set()

    async def caller_gone(self) -> None:
        """Return when the caller has closed the connection, which shows once the body is over."""
        await self._over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class BodyTooSlow(Exception):
    """The body was not complete in time, where all of it is needed or others wait for its connection."""

    status = 408
    kind = "body-too-slow"
    reason = "The body did not come in time."
    next_step = "The resource did not get the whole of it. Send the whole call at once."


async def held_body(receive: Receive, *, present: bool, limit: int, seconds: float) -> tuple[bytes, Receive]:
    """Read a body to its end, `limit` bytes at most, and return it with a `receive` that gives it again.

    Raises:
        BodyTooLong: it has more.
        BodyTooSlow: it took longer than `seconds`.
        CallerGone: the caller went away in the middle of it.
    """
    if not present:
        return b"", receive
    body = RequestBody(receive, present=False, limit=limit)
    held = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in body.pieces():
                held += piece
    except TimeoutError:
        raise BodyTooSlow from None
    return bytes(held), replaying(bytes(held), receive)


def replaying(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body, whole, and then whatever `receive` gives."""
    again: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return again.pop() if again else await receive()

    return replay
