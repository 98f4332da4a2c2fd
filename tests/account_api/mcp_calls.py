"""Calls at `/mcp` as a client makes them: by hand in each revision, and by the official SDK's client."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.account_api.banks import Bank, transfer_order

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
REVISIONS = (MODERN, HANDSHAKE)
_ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
}

# Each operation by REST and by MCP: method, path, body and tool, arguments.
OPERATIONS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "account.list": ("account:read_balance", "/accounts", "list_accounts", {}),
    "account.read_balance": (
        "account:read_balance",
        "/accounts/4001-01/balance",
        "read_balance",
        {"account_id": "4001-01"},
    ),
    "account.read_transactions": (
        "account:read_transactions",
        "/accounts/4001-01/transactions?limit=3&from=2026-01-01&to=2026-06-01",
        "read_transactions",
        {"account_id": "4001-01", "limit": 3, "from": "2026-01-01", "to": "2026-06-01"},
    ),
    "account.transfer": ("account:transfer", "/transfers", "transfer", transfer_order()),
}


def message(method: str, params: dict[str, Any] | None = None, revision: str = MODERN) -> dict[str, Any]:
    """Return a JSON-RPC request of this revision."""
    params = dict(params or {})
    if revision == MODERN:
        params["_meta"] = _ENVELOPE | params.get("_meta", {})
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def header_fields(body: Any, revision: str = MODERN) -> dict[str, str]:
    """Return the header fields that belong to a message in this revision."""
    fields = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": revision,
    }
    if revision == MODERN and isinstance(body, dict):
        fields["Mcp-Method"] = body["method"]
        if "name" in body.get("params", {}):
            fields["Mcp-Name"] = body["params"]["name"]
    return fields


def post(
    bank: Bank,
    body: Any,
    token: str | None,
    revision: str = MODERN,
    headers: dict[str, str] | None = None,
    content: bytes | None = None,
) -> httpx2.Response:
    """Send a message, or `content` in its place."""
    fields = header_fields(body, revision) | (headers or {})
    content = json.dumps(body).encode() if content is None else content
    return bank.send("POST", "/mcp", token, headers=fields, content=content)


def call_tool(
    bank: Bank, name: str, arguments: Any, token: str | None, revision: str = MODERN, **request: Any
) -> httpx2.Response:
    """Call a tool."""
    body = message("tools/call", {"name": name, "arguments": arguments}, revision)
    return post(bank, body, token, revision, **request)


def result_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the result of a call; its HTTP status must say that there is one."""
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the problem document in a tool's result."""
    result = result_of(answer)
    assert result["isError"] is True
    assert "structuredContent" not in result
    [part] = result["content"]
    problem: dict[str, Any] = json.loads(part["text"])
    return problem


def refusal_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON-RPC error of a refusal by HTTP."""
    body = answer.json()
    assert body["jsonrpc"] == "2.0"
    assert set(body) == {"jsonrpc", "id", "error"}
    error: dict[str, Any] = body["error"]
    return error


@asynccontextmanager
async def official_client(url: str, token: str, mode: Literal["auto", "legacy"]) -> AsyncIterator[Client]:
    """Give the SDK's client, connected; `auto` speaks the newest revision, `legacy` shakes hands."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client
