"""One permitted call, passed on to the resource and its answer passed back, both as they come."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from starlette.types import Receive, Scope, Send

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
    body_seconds: float,
    add: RawHeaders,
    pass_on: Sequence[tuple[str, str]] = (),
) -> None:
    """Make the call at the resource and send its answer, with the fields in `add` besides its own.

    `pass_on` are the fields of a protocol that go to the resource besides those that always do.

    A caller that goes away ends the call at the resource too.

    Raises:
        UnusableBody: the request's body is too long or too slow; nothing of an answer is sent.
        CallerGone: the caller went away.
        UpstreamFault: the resource gave no answer; nothing of one is sent.
        CutShort: the answer broke off on its way, and its end is not sent.
    """
    headers = headers_of(scope)
    body = RequestBody(receive, present=has_body(headers), limit=max_body_bytes, seconds=body_seconds)
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
        await _answer(call, send, add)


async def _answer(call: AbstractAsyncContextManager[Answer], send: Send, add: RawHeaders) -> None:
    begun = False
    try:
        async with call as answer:
            headers = returned(answer.headers) + add
            begun = True
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            async for piece in answer.content:
                more = not answer.is_complete
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                if not more:
                    return
            await send({"type": "http.response.body"})
    except (UpstreamFault, UnusableBody) as fault:
        if begun:
            raise CutShort from fault
        raise
