"""The MCP server (`mcp` SDK): every revision of the protocol over the same four tools, without sessions."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import mcp_types as mcp
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from account_api.bank import Bank
from account_api.call import Call, Recorder
from account_api.idempotency import Outcome
from account_api.mcp_tools import TOOLS, Tool
from account_api.recorded_route import recorded_refusal
from delegation.problem import Problem

_INSTRUCTIONS: Final = (
    "Accounts, balances, transactions and transfers of one bank customer, whom the access token is for. Each "
    "tool needs its own scope. Amounts are integers of minor units (cents) with their currency."
)


@dataclass
class Exchange:
    """An authorised request at `/mcp`, as the tools see it.

    `refusal` is what the caller must be told by HTTP and not by a result: that the token is no longer good.
    """

    bank: Bank
    recorder: Recorder
    call: Call
    tool: Tool | None
    refusal: Problem | None = None

    async def run(self, tool: Tool, arguments: dict[str, Any]) -> Outcome:
        """Return REST's answer to the same call: its status and body, recorded, whatever happens."""
        try:
            return await self.bank.database.in_thread(tool.run, self.call, arguments)
        except Exception as error:  # noqa: BLE001 - whatever fails, the answer is a recorded no
            needed = tool.route.requirement.scope
            problem = await recorded_refusal(error, self.recorder, needed, self.bank)
        if "WWW-Authenticate" in problem.headers:
            self.refusal = problem
        return Outcome(problem.status, problem.body)


_Context = ServerRequestContext[dict[str, Any], Any]


async def _call_tool(context: _Context, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
    assert isinstance(context.request, Request)  # noqa: S101 - tells the type checker; HTTP is all there is
    exchange: Exchange = context.request.state.exchange
    tool = exchange.tool
    if tool is None or tool.name != params.name:
        raise MCPError(mcp.INVALID_PARAMS, "There is no such tool. tools/list names those that there are.")
    outcome = await exchange.run(tool, params.arguments or {})
    text = mcp.TextContent(text=json.dumps(outcome.body, ensure_ascii=False))
    if outcome.status >= HTTPStatus.BAD_REQUEST:
        # Not structured: what is must fit the tool's output schema, and a problem document does not.
        return mcp.CallToolResult(content=[text], is_error=True)
    return mcp.CallToolResult(content=[text], structured_content=outcome.body)


def mcp_sessions() -> StreamableHTTPSessionManager:
    """Return the SDK's HTTP side: no sessions, and answers in JSON. Run it as long as the service lives."""
    listed = mcp.ListToolsResult(tools=[TOOLS[name].definition() for name in sorted(TOOLS)])

    async def list_tools(
        _context: _Context, _params: mcp.PaginatedRequestParams | None
    ) -> mcp.ListToolsResult:
        return listed

    server: Server[dict[str, Any]] = Server(
        "account-api",
        version="1",
        title="Account API",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=_call_tool,
        get_tool_input_schema=lambda _name: None,  # no argument is repeated in a header field
    )
    server.middleware.clear()  # its tracing would be a second one, beside the bank's own
    return StreamableHTTPSessionManager(server, json_response=True, stateless=True)
