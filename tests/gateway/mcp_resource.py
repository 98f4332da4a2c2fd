"""An MCP server of the tests' own, made with the official SDK and served over HTTP; a client of the SDK's."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.tool_definition import ToolDefinition
from tests.gateway.recording import Arrived, Handler, answer
from tests.issuer import ACCOUNT_API, AGENT

MODERN = "2026-07-28"
OLDER = "2025-11-25"
_UNGUARDED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


def tools_server(let_end: threading.Event | None = None) -> MCPServer:
    """A server whose tools read, pay, wait for an event, and do what no policy knows."""
    server = MCPServer("tests")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def read_thing(thing_id: str, size: int = 1) -> dict[str, str]:
        """Read one thing."""
        return {"thing": thing_id, "size": str(size)}

    @server.tool()
    def pay(amount: dict[str, Any], idempotency_key: str) -> dict[str, str]:
        """Pay an amount."""
        return {"paid": json.dumps(amount), "key": idempotency_key}

    @server.tool()
    async def wait(context: Context) -> str:
        """Tell at once that it has begun, and end when it is let."""
        await context.report_progress(1, 2)
        await asyncio.to_thread((let_end or threading.Event()).wait, 10)
        return "waited"

    @server.tool()
    def delete_everything() -> str:
        """Nobody may do this."""
        raise AssertionError("it was called")

    return server


@dataclass
class McpResource:
    """The server as an ASGI application that keeps what arrives; a test may put its own `handler` in."""

    app: ASGIApp
    handler: Handler | None = None
    arrived: list[Arrived] = field(default_factory=list)

    @classmethod
    def of(cls, server: MCPServer, *, json_response: bool = False) -> "McpResource":
        """Serve without sessions, in every revision of MCP that the SDK knows."""
        return cls(
            server.streamable_http_app(
                stateless_http=True, json_response=json_response, transport_security=_UNGUARDED
            )
        )

    def reset(self) -> None:
        """Forget what arrived and answer by the server again."""
        self.handler = None
        self.arrived.clear()

    def called(self, method: str = "tools/call") -> list[dict[str, Any]]:
        """Return the messages of a method that arrived."""
        messages = [json.loads(one.body) for one in self.arrived]
        return [one for one in messages if one["method"] == method]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep one request and have it answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        request = Arrived(scope["method"], scope["raw_path"], scope["query_string"], headers)
        if request.path == b"/healthz":
            await answer(send, b'{"status":"ok"}')
            return
        self.arrived.append(request)
        if self.handler is not None:
            await self.handler(request, receive, send)
            return

        async def kept() -> Message:
            message = await receive()
            request.body += message.get("body", b"")
            return message

        await self.app(scope, kept, send)


@asynccontextmanager
async def sdk_client(gateway: str, token: str, mode: str, **headers: str) -> AsyncIterator[Client]:
    """Connect the SDK's own client to the gateway's MCP endpoint; `mode` as the SDK has it."""
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"} | headers) as http:
        transport = streamable_http_client(f"{gateway}/mcp", http_client=http)
        async with Client(transport, mode=mode, cache=None) as client:
            yield client


def message(method: str, params: dict[str, Any] | None = None, *, version: str = MODERN) -> dict[str, Any]:
    """A request as a client of a revision writes it."""
    meta = (
        {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        if version == MODERN
        else {}
    )
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": meta} | (params or {})}


def headers_of(body: dict[str, Any], *, version: str = MODERN) -> dict[str, str]:
    """The header fields that belong to a request."""
    found = {"accept": "application/json, text/event-stream", "mcp-protocol-version": version}
    if version == MODERN:
        found["mcp-method"] = body["method"]
        if body["method"] == "tools/call":
            found["mcp-name"] = body["params"]["name"]
    return found


def definitions(server: MCPServer) -> dict[str, ToolDefinition]:
    """What a server lists, by the tools' names."""
    listed = asyncio.run(server.list_tools())
    found = [
        ToolDefinition.of(one.model_dump(mode="json", by_alias=True, exclude_none=True)) for one in listed
    ]
    return {one.name: one for one in found}


def mcp_policy(pins: Mapping[str, ToolDefinition]) -> str:
    """A policy for the tools of `tools_server`; those in `pins` are accepted."""
    policy = POLICY
    for tool, definition in pins.items():
        policy = policy.replace(f"tool: {tool}\n", f"tool: {tool}\n    tool_sha256: {definition.sha256}\n")
    return policy


POLICY = f"""\
audience: {ACCOUNT_API}
name: Things
operations:
  thing.read:
    method: GET
    path: /things/{{thing_id}}
    tool: read_thing
    scope: thing:read
    actors: [{AGENT}]
    arguments:
      thing_id: {{in: path}}
      size: {{in: query, type: int, default: '1'}}
    conditions:
      - require: args.thing_id != 'secret' && args.size <= 3
        otherwise: Not the secret one, and no large ones.
  thing.pay:
    method: POST
    path: /payments
    tool: pay
    scope: thing:pay thing:read
    actors: [{AGENT}]
    rate: {{customer: 3/hour}}
    arguments:
      amount_minor: {{in: body, name: /amount/amount_minor, type: int}}
    conditions:
      - require: args.amount_minor <= 100
        otherwise: At most 1.00 at a time.
  thing.wait:
    tool: wait
    writes: 'false'
    scope: thing:read
    actors: [{AGENT}]
    max_depth: 1
"""
