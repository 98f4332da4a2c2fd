"""MCP as the stand-in for the gateway speaks it: calls read as REST's, REST's answers written as MCP's."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_REVISION = "2026-07-28"
_TOOLS = {
    "list_accounts": ("GET", "/accounts"),
    "read_balance": ("GET", "/accounts/{account_id}/balance"),
    "read_transactions": ("GET", "/accounts/{account_id}/transactions"),
    "transfer": ("POST", "/transfers"),
}


def called_by_mcp(request: Request, message: dict[str, Any]) -> dict[str, Any]:
    """Return the call in the form of a REST request, after a look at what the revision demands."""
    params = message["params"]
    meta = params["_meta"]
    assert message["jsonrpc"] == "2.0"
    assert message["method"] == request.headers["mcp-method"] == "tools/call"
    assert params["name"] == request.headers["mcp-name"]
    assert (
        meta["io.modelcontextprotocol/protocolVersion"]
        == request.headers["mcp-protocol-version"]
        == _REVISION
    )
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
    assert meta["traceparent"] == request.headers["traceparent"]
    assert {"application/json", "text/event-stream"} <= set(request.headers["accept"].split(", "))
    arguments = dict(params["arguments"])
    key = arguments.pop("idempotency_key", None)
    method, template = _TOOLS[params["name"]]
    path = template.format(**arguments)
    arguments = {name: value for name, value in arguments.items() if f"{{{name}}}" not in template}
    in_query = {name: str(value) for name, value in arguments.items()} if method == "GET" else {}
    return {
        "method": method,
        "path": path,
        "query": in_query,
        "body": None if method == "GET" else arguments,
        "key": key,
    }


def in_mcp(response: Response, message_id: int) -> Response:
    """Return an answer of REST's as account API and gateway give it by MCP; what is no JSON stays."""
    try:
        document = json.loads(bytes(response.body))
    except (ValueError, RecursionError):
        return response
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in {"content-length", "content-type"}
    }
    is_problem = isinstance(document, dict) and {"type", "detail"} <= set(document)
    by_gateway = headers.get("decision", "").startswith("deny")
    of_token = response.status_code in {401, 403} and not str(document).count("transfer-limit-exceeded")
    if is_problem and (by_gateway or of_token):
        error = {
            "code": -32001,
            "message": document["detail"],
            "data": {
                "kind": document["type"].rpartition("/")[2],
                "reason": document["detail"],
                "decision_id": headers.get("decision-id"),
                "required_scopes": [],
            },
        }
        return JSONResponse(
            {"jsonrpc": "2.0", "id": message_id, "error": error}, response.status_code, headers
        )
    if is_problem:
        return _result({"content": [_text(document)], "isError": True}, message_id, headers)
    if response.status_code < 300:
        return _result(
            {"content": [_text(document)], "structuredContent": document, "isError": False},
            message_id,
            headers,
        )
    return response


def _text(document: Any) -> dict[str, str]:
    return {"type": "text", "text": json.dumps(document)}


def _result(result: dict[str, Any], message_id: int, headers: dict[str, str]) -> Response:
    whole = {"resultType": "complete", **result}
    return JSONResponse({"jsonrpc": "2.0", "id": message_id, "result": whole}, 200, headers)
