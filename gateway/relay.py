"""One permitted call, passed on to the resource and its answer passed back, both as they come."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from starlette.types import Message, Receive, Scope, Send

from delegation.trace import outgoing_headers
from gateway.caller_watch import CallerWatch
from gateway.request_body import RequestBody, UnusableBody
from gateway.request_headers import forwarded, has_body, headers_of
from gateway.response_headers import returned
from gateway.upstream import Answer, Upstream, UpstreamFault

RawHeaders = list[tuple[bytes, bytes]]


class CutShort(Exception):
    """An answer that broke off after it had begun."""


async def relay(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    upstream: Upstream,
    max_body_bytes: int,
    caller_seconds: float,
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
    headers = headers_of(scope)
    body = RequestBody(receive, present=has_body(headers), limit=max_body_bytes, seconds=caller_seconds)
    call = upstream.answer(
        scope["method"],
        scope["raw_path"].decode("ascii"),
        scope["query_string"].decode("ascii"),
        [
            *forwarded(headers),
            *pass_on,
            *outgoing_headers().items(),
            ("via", f"{scope['http_version']} agent-gateway"),
        ],
        body.content,
    )
    async with CallerWatch(body.caller_gone):
        await _answer(call, send, add, caller_seconds)


async def _answer(
    call: AbstractAsyncContextManager[Answer], send: Send, add: RawHeaders, caller_seconds: float
) -> None:
    begun, last = False, b""
    try:
        async with call as answer:
            start = {
                "type": "http.response.start",
                "status": answer.status,
                "headers": returned(answer.headers) + add,
            }
            if not answer.is_complete:
                begun = True
                await _in_time(send, start, caller_seconds)
            async for piece in answer.content:
                if answer.is_complete:
                    last = piece
                    break
                part = {"type": "http.response.body", "body": piece, "more_body": True}
                await _in_time(send, part, caller_seconds)
    except (UpstreamFault, UnusableBody, TimeoutError) as fault:
        if begun:
            raise CutShort from fault
        raise
    # From here on a slow caller keeps the connection to the resource from nobody.
    if not begun:
        await send(start)
    await send({"type": "http.response.body", "body": last})


async def _in_time(send: Send, message: Message, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await send(message)
