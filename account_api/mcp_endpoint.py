"""`POST /mcp`: each request is authorised before the MCP server sees it, and recorded whatever the answer."""

import logging
from typing import Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from account_api.access import Requirement, check
from account_api.admission import resource_of, verified_token
from account_api.bank import Bank
from account_api.call import Call, Recorder
from account_api.mcp_message import Message, read_message
from account_api.mcp_refusals import error_response, fault_of, transport_fault
from account_api.mcp_server import Exchange
from account_api.mcp_tools import TOOLS
from account_api.recorded_route import finished, recorded_refusal
from delegation.problem import Problem
from delegation.scope import Scope as OAuthScope
from delegation.trace import incoming_trace_id, start_trace

_METHODS: Final = frozenset(
    {"initialize", "notifications/initialized", "ping", "server/discover", "tools/list"}
)
_ANY_GOOD_TOKEN: Final = Requirement(OAuthScope())


class McpEndpoint:
    """The ASGI application behind the route; `sessions` must be running."""

    def __init__(
        self, bank: Bank, sessions: StreamableHTTPSessionManager, security: TransportSecuritySettings
    ) -> None:
        self._bank = bank
        self._sessions = sessions
        self._security = TransportSecurityMiddleware(security)
        # It warns with what the caller sent. The record tells what was refused, without that.
        logging.getLogger("mcp.server.transport_security").setLevel(logging.ERROR)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        recorder = Recorder(database=self._bank.database, clock=self._bank.clock, operation="none")
        response = await self._answer(Request(scope, receive), recorder)
        await finished(response, recorder)(scope, receive, send)

    async def _answer(self, request: Request, recorder: Recorder) -> Response:
        message, unreadable, needed = None, None, _ANY_GOOD_TOKEN
        try:
            await self._check_transport(request)
            try:
                message = await read_message(request)
            except (HTTPException, Problem) as error:
                unreadable = error  # told only to those who have a token
            else:
                needed = _recognised(message, recorder)
                _follow_trace(request, message)
            recorder.token = token = await verified_token(request, self._bank)
            message = _readable(message, unreadable)
            check(token, needed, self._bank.app_client_ids)
            call = Call(token, recorder, self._bank.verifier)
            exchange = Exchange(self._bank, recorder, call, TOOLS.get(message.tool or ""))
            return await self._served(request, message, needed, exchange)
        except Exception as error:  # noqa: BLE001 - whatever fails, the answer is a recorded no
            problem = await recorded_refusal(error, recorder, needed.scope, self._bank)
            return error_response(problem, message, needed, recorder)

    async def _check_transport(self, request: Request) -> None:
        refusal = await self._security.validate_request(request, is_post=True)
        if refusal is not None:
            raise transport_fault(refusal.status_code)

    async def _served(
        self, request: Request, message: Message, needed: Requirement, exchange: Exchange
    ) -> Response:
        """Return the MCP server's answer, or what must be told in its place."""
        request.state.exchange = exchange
        response = await self._handed_on(request, message)
        recorder = exchange.recorder
        if exchange.refusal is not None:
            return error_response(exchange.refusal, message, needed, recorder)
        if recorder.record_id is not None:
            return response
        fault = fault_of(response)
        if fault is None:
            exchange.call.decided("permit", "the token is good, and no operation was called")
            await self._bank.database.in_thread(_record_alone, exchange.call)
            return response
        told = await self._bank.database.in_thread(recorder.refuse, fault)
        if told is fault and response.body:  # else it is a bare status, or the database is down too
            return response
        return error_response(told, message, needed, recorder)

    async def _handed_on(self, request: Request, message: Message) -> Response:
        body: list[AsgiMessage] = [{"type": "http.request", "body": message.content, "more_body": False}]
        sent: list[AsgiMessage] = []

        async def receive() -> AsgiMessage:
            return body.pop() if body else await request.receive()

        async def keep(part: AsgiMessage) -> None:
            sent.append(part)

        await self._sessions.handle_request(request.scope, receive, keep)
        start, *parts = sent
        content = b"".join(part.get("body", b"") for part in parts)
        media_type = Headers(raw=start.get("headers", [])).get("content-type")
        return Response(content, start["status"], media_type=media_type)


def _readable(message: Message | None, unreadable: Exception | None) -> Message:
    if message is None:
        raise unreadable or HTTPException(400)
    return message


def _recognised(message: Message, recorder: Recorder) -> Requirement:
    """Name in the record what is asked for, as far as it is something of ours, and return what it needs."""
    tool = TOOLS.get(message.tool or "")
    if tool is None:
        recorder.operation = f"mcp.{message.method}" if message.method in _METHODS else "none"
        return _ANY_GOOD_TOKEN
    recorder.operation = tool.operation
    recorder.resource = resource_of(tool.route.path_format, message.arguments)
    return tool.route.requirement


def _follow_trace(request: Request, message: Message) -> None:
    """Go on in the message's trace where the header names none (W3C Trace Context; MCP: `_meta`)."""
    if incoming_trace_id(request.headers.get("traceparent")) is None:
        trace_id = incoming_trace_id(message.traceparent)
        if trace_id is not None:
            start_trace(trace_id)


def _record_alone(call: Call) -> None:
    with call.transaction():
        pass
