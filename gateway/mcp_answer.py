"""What an MCP client is told by the gateway itself: as JSON-RPC, for its SDK hides every other body."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.responses import Response

from delegation.scope import Scope
from gateway.decision import Deny, Permit
from gateway.mcp_headers import VERSION
from gateway.mcp_message import Id
from gateway.mcp_revision import SERVED
from gateway.problems import refusal_headers
from gateway.request_headers import RequestHeaders
from gateway.strict_json import json_text
from gateway.tool_definition import ToolDefinition
from gateway.upstream import UpstreamFault

_CODES: Final = {
    "not-json": -32700,
    "invalid-request": -32600,
    "method-not-found": -32601,
    "invalid-params": -32602,
    "unknown-tool": -32602,
    "unusable-argument": -32602,
    "header-mismatch": -32020,
    "unsupported-protocol-version": -32022,
}
"""The codes of JSON-RPC and MCP; every other kind has its HTTP status, outside of what they reserve."""


def refused(
    deny: Deny,
    id_: Id | None,
    decision: Mapping[str, str],
    resource_metadata_url: str,
    headers: RequestHeaders,
    required: Scope,
) -> Response:
    """Answer a denied message; `headers` are the request's own, `required` is the operation's scope."""
    scope = required or (deny.challenge.scope if deny.challenge is not None else None)
    data: dict[str, Any] = {"required_scopes": sorted(scope or ())}
    if deny.kind == "unsupported-protocol-version":
        data |= {"supported": list(SERVED), "requested": headers.get(VERSION, "")}
    fields = refusal_headers(deny, decision, resource_metadata_url)
    return _error(deny, deny.operation, id_, data, fields)


def unanswered(
    fault: UpstreamFault, permit: Permit, id_: Id | None, decision: Mapping[str, str], required: Scope
) -> Response:
    """Answer a permitted message that got no answer from the server behind the gateway."""
    fields = {**decision, "cache-control": "no-store"}
    return _error(fault, permit.operation, id_, {"required_scopes": sorted(required)}, fields)


def tool_list(
    tools: Iterable[ToolDefinition],
    id_: Id | None,
    decision: Mapping[str, str],
    *,
    ttl_ms: int | None,
) -> Response:
    """Answer `tools/list` with these tools, for this caller alone; `ttl_ms` None is an older revision's.

    What is shown of a tool is what is pinned of it.
    """
    result: dict[str, Any] = {"tools": [dict(one.document) for one in tools]}
    if ttl_ms is not None:
        result |= {"resultType": "complete", "ttlMs": ttl_ms, "cacheScope": "private"}
    body = json_text({"jsonrpc": "2.0", "id": id_, "result": result})
    fields = {**decision, "cache-control": "private", "vary": "authorization"}
    return Response(body, 200, fields, media_type="application/json")


def _error(
    fault: Deny | UpstreamFault,
    operation: str | None,
    id_: Id | None,
    data: dict[str, Any],
    fields: dict[str, str],
) -> Response:
    data = {
        "reason": fault.reason,
        "kind": fault.kind,
        "operation": operation,
        "decision_id": fields["decision-id"],
        "next_step": fault.next_step,
        **data,
    }
    error = {"code": _CODES.get(fault.kind, fault.status), "message": fault.reason, "data": data}
    body = json_text({"jsonrpc": "2.0", "id": id_, "error": error})
    return Response(body, fault.status, fields, media_type="application/json")
