"""One permitted call, passed on to the resource and its answer passed back, both as they come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from starlette.types import Message, Receive, Scope, Send

from delegation.trace import current_trace
from gateway.caller_watch import CallerWatch, CallerWatches
from gateway.request_body import RequestBody, UnusableBody, caller_gone
from gateway.request_headers import forwarded, has_body, headers_of
from gateway.response_headers import returned
from gateway.upstream import Answer, Upstream, UpstreamFault

RawHeaders = list[tuple[bytes, bytes]]


class CutShort(Exception):
    """An answer that broke off after it had begun."""


class Relay:
    """Passes calls on to one resource."""

    def __init__(self, upstream: Upstream, caller_seconds: float) -> None:
        """`caller_seconds` is how long a caller may take over its body, or over a piece of an answer."""
        self._upstream = upstream
        self._caller_seconds = caller_seconds
        self._watches = CallerWatches()

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        max_body_bytes: int,
        add: RawHeaders,
        pass_on: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Make the call at the resource and send its answer, with the fields in `add` besides its own.

        `pass_on` are the fields of a protocol that go to the resource besides those that always do.

        A caller that goes away ends the call at the resource too, and so does one that takes longer than
        `caller_seconds` over its body, or over a piece of an answer that has not come to its end.

        Raises:
            UnusableBody: the request's body is too long or too slow; nothing of an answer is sent.
            CallerGone: the caller went away.
            UpstreamFault: the resource gave no answer; nothing of one is sent.
            CutShort: the answer broke off on its way, and its end is not sent.
        """
        headers, content = headers_of(scope), None
        gone: Callable[[], Awaitable[None]] = partial(caller_gone, receive)
        if has_body(headers):
            body = RequestBody(receive, limit=max_body_bytes, seconds=self._caller_seconds)
            content, gone = body.pieces(), body.caller_gone
        fields = forwarded(headers)
        fields += pass_on
        fields.append(("traceparent", current_trace().traceparent))
        fields.append(("via", f"{scope['http_version']} agent-gateway"))
        path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        call = self._upstream.answer(scope["method"], path, query, fields, content)
        with CallerWatch(self._watches, gone):
            await self._answer(call, send, add)

    async def _answer(self, call: AbstractAsyncContextManager[Answer], send: Send, add: RawHeaders) -> None:
        begun = False
        try:
            async with call as answer:
                fields = returned(answer.headers)
                fields += add
                start = {"type": "http.response.start", "status": answer.status, "headers": fields}
                last = answer.rest()
                if last is None:
                    begun = True
                    await self._in_time(send, start)
                    last = await self._streamed(answer, send)
        except (UpstreamFault, UnusableBody, TimeoutError) as fault:
            if begun:
                raise CutShort from fault
            raise
        # From here on a slow caller keeps the connection to the resource from nobody.
        if not begun:
            await send(start)
        await send({"type": "http.response.body", "body": last})

    async def _streamed(self, answer: Answer, send: Send) -> bytes:
        """Send an answer as it comes, but for the last of it."""
        async for piece in answer.content:
            rest = answer.rest()
            if rest is not None:
                return piece + rest
            await self._in_time(send, {"type": "http.response.body", "body": piece, "more_body": True})
        return b""

    async def _in_time(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._caller_seconds):
            await send(message)
