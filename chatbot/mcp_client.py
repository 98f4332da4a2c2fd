"""The agent's way to the account API by MCP, revision 2026-07-28: one JSON-RPC request for a call.

Not the official client: it takes one token for a connection, asks for `server/discover` first, and hides the
header fields that the steps are shown from (`Decision`, `Record-Id`) and the challenge of a 403.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2

from chatbot.gateway_answer import Answer, answer_of, fetched
from chatbot.tools import Call
from delegation.trace import outgoing_headers

_REVISION: Final = "2026-07-28"
_METHOD: Final = "tools/call"
_REQUEST_ID: Final = 1
_PREFIX: Final = "io.modelcontextprotocol/"
_ERRORS: Final = range(400, 600)
_UNPROCESSABLE: Final = 422


class McpClient:
    """Calls the account API's MCP tools at the gateway."""

    def __init__(self, url: str, http: httpx2.AsyncClient, timeout_seconds: float) -> None:
        self._url = url
        self._http = http
        self._timeout_seconds = timeout_seconds

    async def call(self, call: Call, access_token: str, idempotency_key: str | None) -> Answer:
        """Make a call with a delegation token.

        Raises:
            NoAnswer: there was no whole answer of a bearable length in time.
        """
        headers = {
            "Authorization": f"Bearer {access_token}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": _REVISION,
            "Mcp-Method": _METHOD,
            "Mcp-Name": call.mcp_tool,
            **outgoing_headers(),
        }
        meta = {
            f"{_PREFIX}protocolVersion": _REVISION,
            f"{_PREFIX}clientCapabilities": {},
            f"{_PREFIX}clientInfo": {"name": "chatbot", "version": "1"},
            **outgoing_headers(),
        }
        message = {
            "jsonrpc": "2.0",
            "id": _REQUEST_ID,
            "method": _METHOD,
            "params": _params(call, idempotency_key) | {"_meta": meta},
        }
        response, content = await fetched(
            self._http, "POST", self._url, self._timeout_seconds, json=message, headers=headers
        )
        return _answer(response, _reply(response, content))

    def shown(self, call: Call, idempotency_key: str | None) -> dict[str, Any]:
        """Return the call as it is made, for display, without the token."""
        return {"method": _METHOD, **_params(call, idempotency_key)}


def _params(call: Call, idempotency_key: str | None) -> dict[str, Any]:
    key = {"idempotency_key": idempotency_key} if idempotency_key else {}
    return {"name": call.mcp_tool, "arguments": call.arguments | key}


def _reply(response: httpx2.Response, content: bytes) -> Mapping[str, Any]:
    """Return the JSON object that answers, in either form that the transport has; empty if there is none."""
    is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
    for text in _event_data(content) if is_stream else [content]:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            continue
        # A refusal from before the message was read has no id.
        if isinstance(message, dict) and message.get("id") in (_REQUEST_ID, None) and "method" not in message:
            return message
    return {}


def _event_data(content: bytes) -> Iterator[bytes]:
    """Give the data of each server-sent event."""
    for event in content.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line.removeprefix(b"data:") for line in event.split(b"\n") if line.startswith(b"data:")]
        yield b"\n".join(lines)


def _answer(response: httpx2.Response, reply: Mapping[str, Any]) -> Answer:
    """Return REST's answer to the same call: refusals by HTTP, errors of the bank, or the result."""
    error = _object(reply.get("error"))
    if error or response.status_code in _ERRORS:
        status = response.status_code if response.status_code in _ERRORS else _UNPROCESSABLE
        return answer_of(response, status, _told(error) if error else reply)
    result = _object(reply.get("result"))
    if result.get("isError"):
        problem = _problem(result.get("content"))
        status = problem["status"] if problem.get("status") in _ERRORS else _UNPROCESSABLE
        return answer_of(response, status, problem)
    return answer_of(response, response.status_code, _object(result.get("structuredContent")))


def _told(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a JSON-RPC error says in the members of a problem document."""
    data = _object(error.get("data"))
    told = {
        "type": data.get("kind"),
        "detail": data.get("reason") or error.get("message"),
        "decision_id": data.get("decision_id"),
    }
    return {name: value for name, value in told.items() if value is not None}


def _problem(content: object) -> Mapping[str, Any]:
    """Return the problem document that a failed tool's result holds as text; empty if it holds none."""
    parts = content if isinstance(content, list) else []
    for text in (_object(part).get("text") for part in parts):
        try:
            return _object(json.loads(text)) if isinstance(text, str) else {}
        except (ValueError, RecursionError):
            return {}
    return {}


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
