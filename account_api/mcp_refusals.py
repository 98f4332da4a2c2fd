"""Refusals at `/mcp`: REST's status and challenge, and a JSON-RPC error: all that MCP clients show."""

import json
from http import HTTPStatus
from typing import Final

import mcp_types as mcp
from starlette.responses import JSONResponse, Response

from account_api.access import Requirement
from account_api.call import Recorder
from account_api.mcp_message import Message
from delegation.problem import Problem

TOKEN_REFUSED: Final = -32001
"""The JSON-RPC error code of a 401 or 403: of those that are left to implementations."""

_TRANSPORT: Final = {
    400: "Send the message as Content-Type: application/json.",
    403: "Pages of this Origin may not call here. The operator lists those that may in MCP_ORIGINS.",
    421: "This service does not answer under this Host. The operator lists its names in MCP_HOSTS.",
}
_FAULTS: Final = {
    mcp.METHOD_NOT_FOUND: "The MCP server has no such method.",
    mcp.INVALID_PARAMS: "The parameters of the MCP request are not valid.",
    mcp.HEADER_MISMATCH: "The header and the body of the MCP request do not agree.",
    mcp.UNSUPPORTED_PROTOCOL_VERSION: "This revision of MCP is not served.",
}


def transport_fault(status: int) -> Problem:
    """Return the refusal of a request that the SDK's transport security does not let pass."""
    return Problem(status, _TRANSPORT[status])


def fault_of(response: Response) -> Problem | None:
    """Return why the MCP server did not do what it was asked, in words of ours; None if it did."""
    error = json.loads(bytes(response.body)).get("error") if response.body else None
    if error is not None:
        return Problem(HTTPStatus.BAD_REQUEST, _FAULTS.get(error["code"], "The MCP request is not valid."))
    if response.status_code == HTTPStatus.NOT_ACCEPTABLE:
        return Problem(response.status_code, "Send Accept: application/json, text/event-stream.")
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        return Problem(response.status_code, "The MCP request is not valid.")
    return None


def error_response(
    problem: Problem, message: Message | None, needed: Requirement, recorder: Recorder
) -> JSONResponse:
    """Return a refusal by HTTP; `data` says what its header fields say, because clients hide those."""
    reason = problem.body["detail"]
    data = {
        "kind": problem.body["type"].rpartition("/")[2],
        "reason": reason,
        "operation": recorder.operation,
        "required_scopes": sorted(needed.scope),
        "record_id": recorder.record_id,
    }
    body = {
        "jsonrpc": "2.0",
        "id": message.id if message else None,
        "error": {"code": _code(problem), "message": reason, "data": data},
    }
    return JSONResponse(body, problem.status, problem.headers)


def _code(problem: Problem) -> int:
    if "WWW-Authenticate" in problem.headers:
        return TOKEN_REFUSED
    return mcp.INTERNAL_ERROR if problem.status >= 500 else mcp.INVALID_REQUEST
