"""An MCP message as it comes in: read once nothing about its HTTP request speaks against that."""

from starlette.types import Receive, Scope

from delegation.trace import incoming_trace_id, start_trace
from gateway.decision import Deny
from gateway.mcp_headers import is_modern, objection
from gateway.mcp_message import NEXT_STEP, Message, Refused, parse
from gateway.mcp_revision import is_let_through
from gateway.request_body import BodyTooLong, held_body
from gateway.request_headers import RequestHeaders, ambiguity, declared_length, has_body, headers_of


async def received_message(
    scope: Scope, receive: Receive, *, max_bytes: int, seconds: float
) -> tuple[Message, Receive]:
    """Return the message of a request, and the `receive` for what comes after it.

    A trace that only the message's `_meta` names becomes the current one.

    Raises:
        Refused: the request or its message is not one of MCP's.
        UnusableBody, CallerGone: as for `held_body`.
    """
    headers = headers_of(scope)
    deny = _not_taken(scope, headers)
    if deny is not None:
        raise Refused(deny)
    if declared_length(headers) > max_bytes:
        raise BodyTooLong
    body, receive = await held_body(receive, present=has_body(headers), limit=max_bytes, seconds=seconds)
    message = parse(body)
    if incoming_trace_id(headers.get("traceparent")) is None:
        traceparent = message.meta.get("traceparent")
        trace_id = incoming_trace_id(traceparent if isinstance(traceparent, str) else None)
        if trace_id is not None:
            start_trace(trace_id)
    return message, receive


def _not_taken(scope: Scope, headers: RequestHeaders) -> Deny | None:
    if scope["method"] != "POST":
        reason = "MCP is spoken by POST here; there are no sessions and no streams apart."
        return Deny(405, "method-not-allowed", reason, NEXT_STEP, allow=("POST",))
    ambiguous = ambiguity(headers, scope["query_string"])
    if ambiguous is not None:
        return Deny(400, "ambiguous-request", ambiguous, "Send the call without it.")
    return objection(headers)


def check_method(headers: RequestHeaders, message: Message) -> None:
    """Raise `Refused` for a method that is not let through, with the status of the message's revision."""
    modern, notification = is_modern(headers, message), message.id is None
    if is_let_through(message.method, modern=modern, notification=notification):
        return
    # Before 2026-07-28 an error is the answer to a request as good as any: 404 would mean a lost session.
    status = 400 if notification else 404 if modern else 200
    reason = "This method of MCP is not served here."
    next_step = "Use tools/list and tools/call."
    raise Refused(Deny(status, "method-not-found", reason, next_step), message.id)
