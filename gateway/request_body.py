"""A request body as it arrives: never longer than the limit, held only where a condition must know it."""

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive


class UnusableBody(Exception):
    """A body that goes no further; `status` is the HTTP status, `kind` the last part of the problem type."""

    status: int
    kind: str
    reason: str
    next_step: str


class BodyTooLong(UnusableBody):
    """The body has more bytes than the limit, which shows only as it comes."""

    status = 413
    kind = "content-too-large"
    reason = "The body is longer than what may pass here."
    next_step = "Send a shorter one; the resource did not get the whole of this one."


class BodyTooSlow(UnusableBody):
    """The body did not come in time, and holds what others could use."""

    status = 408
    kind = "body-too-slow"
    reason = "The body did not come in time."
    next_step = "Send the whole call at once; the resource did not get the whole of this one."


class CallerGone(Exception):
    """The caller closed the connection before its body was complete."""


class RequestBody:
    """The body of one ASGI request, `limit` bytes at most; its caller may take `seconds` over it."""

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._over = asyncio.Event()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece, each as soon as it is here.

        Raises:
            BodyTooLong: in the place of a piece.
            BodyTooSlow: in the place of a piece.
            CallerGone: the rest will never come.
        """
        length, more = 0, True
        try:
            while more:
                message = await self._next()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                piece, more = message.get("body", b""), message.get("more_body", False)
                length += len(piece)
                if length > self._limit:
                    raise BodyTooLong
                if piece:
                    yield piece
        finally:
            self._over.set()

    async def _next(self) -> Message:
        # Only the caller's time counts: not that of whoever takes the pieces.
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._receive()
        except TimeoutError:
            raise BodyTooSlow from None
        finally:
            self._seconds -= loop.time() - began

    async def caller_gone(self) -> None:
        """Return when the caller has closed the connection, which shows once the body is over."""
        await self._over.wait()
        await caller_gone(self._receive)


async def caller_gone(receive: Receive) -> None:
    """Return when the caller of a request without a body, or with none left, has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def held_body(receive: Receive, *, present: bool, limit: int, seconds: float) -> tuple[bytes, Receive]:
    """Read a body to its end, `limit` bytes at most, and return it with a `receive` that gives it again.

    Raises:
        UnusableBody: it has more, or took longer than `seconds`.
        CallerGone: the caller went away in the middle of it.
    """
    if not present:
        return b"", receive
    body = RequestBody(receive, limit=limit, seconds=seconds)
    held = b"".join([piece async for piece in body.pieces()])
    return held, replaying(held, receive)


def replaying(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body, whole, and then whatever `receive` gives."""
    again: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return again.pop() if again else await receive()

    return replay
