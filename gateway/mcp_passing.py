"""A permitted MCP message, passed on as it was judged; the answer passes back as it comes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from delegation.scope import Scope as TokenScope
from delegation.trace import current_trace
from gateway.decision import Permit
from gateway.mcp_answer import unanswered
from gateway.mcp_listing import PATH
from gateway.mcp_message import Message
from gateway.relay import CutShort, Relay
from gateway.request_body import CallerGone, replaying
from gateway.upstream import UpstreamFault

_REPLACED: Final = frozenset({b"content-length", b"content-type", b"transfer-encoding"})
# As of header fields: what else a caller writes there could be taken for somebody's word.
_META: Final = frozenset(
    {
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/protocolVersion",
        "progressToken",
    }
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Onward:
    """A message, the header fields that repeat it, and what was decided; `fields` say so to the caller."""

    message: Message
    repeated: Sequence[tuple[str, str]]
    permit: Permit
    fields: Mapping[str, str]
    required: TokenScope


async def pass_on(onward: Onward, scope: Scope, receive: Receive, send: Send, relay: Relay) -> None:
    """Send the message to the server and its answer to the caller."""
    fields = onward.fields
    meta = {name: value for name, value in onward.message.meta.items() if name in _META}
    message = onward.message.with_meta(meta | {"traceparent": current_trace().traceparent})
    body = message.text()
    kept = [(name, value) for name, value in scope["headers"] if name not in _REPLACED]
    framed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # A new scope, and no copy: what others have kept in the old one is of the request as it came.
    as_judged = {"type": "http", "method": "POST", "http_version": scope["http_version"]}
    target = {"raw_path": PATH.encode(), "query_string": b"", "headers": kept + framed}
    try:
        await relay(
            as_judged | target,
            replaying(body, receive),
            send,
            max_body_bytes=len(body),
            add=[(name.encode(), value.encode()) for name, value in fields.items()],
            pass_on=onward.repeated,
        )
    except UpstreamFault as fault:
        # Its cause is named by type only: an HTTP client's errors may quote the request, token and all.
        _log.warning("%s %s: %r", fields["decision-id"], fault.reason, type(fault.__cause__))
        await unanswered(fault, onward.permit, message.id, fields, onward.required)(scope, receive, send)
    except CutShort as fault:
        # As in the door for REST: cut short, the answer never looks complete.
        _log.warning("%s The answer was cut short: %r", fields["decision-id"], type(fault.__cause__))
    except CallerGone:
        pass
