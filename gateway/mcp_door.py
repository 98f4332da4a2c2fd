"""The door for MCP: every message is authenticated, decided, recorded, and only then passed on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from delegation.bearer import BearerError
from delegation.clock import Clock
from delegation.scope import Scope as TokenScope
from delegation.token import AccessToken
from delegation.unverifiable import Unverifiable
from delegation.verification import TokenVerifier
from gateway.authentication import authenticated, unauthenticated
from gateway.call_record import Decided, record_of
from gateway.decision import Deny, Permit, Request, refusal_of_token
from gateway.decision_log import DecisionLog
from gateway.limited_decision import CountedCalls, decided_and_counted
from gateway.mcp_answer import refused, tool_list
from gateway.mcp_decision import (
    arguments_of_call,
    callable_tools,
    called_tool,
    decide_on_protocol,
    deny_quarantined,
    resource_of,
)
from gateway.mcp_headers import agreed_version, check_name, foreign_origin, mismatch, repeated
from gateway.mcp_listing import PATH, listed_tools
from gateway.mcp_message import Id, Message, Refused
from gateway.mcp_param_headers import disagreeing, repeated_arguments, written
from gateway.mcp_passing import Onward, pass_on
from gateway.mcp_reading import check_method, received_message
from gateway.mcp_revision import CALL, LIST, MODERN
from gateway.policy import Policy
from gateway.policy_file import PolicyFile, UnsoundPolicy
from gateway.recorded_decision import recorded
from gateway.relay import Relay
from gateway.request_body import CallerGone, UnusableBody
from gateway.request_headers import RequestHeaders, headers_of
from gateway.response_headers import decision_headers
from gateway.settings import Settings
from gateway.tool_registry import ToolRegistry
from gateway.upstream import Upstream, UpstreamFault


@dataclass(slots=True)
class _Exchange:
    """One HTTP request, and what has become known of it: the policy and the message are None until then."""

    scope: Scope
    headers: RequestHeaders
    receive: Receive
    policy: Policy | None = None
    token: AccessToken | None = None
    message: Message | None = None
    id: Id | None = None
    version: str | None = None
    resource: str = PATH
    call: dict[str, str | None] = field(default_factory=dict)
    changes: bool = False
    repeated: dict[str, str] = field(default_factory=dict)

    def decided(self, decision: Permit | Deny, request: Request | None = None) -> Decided:
        version = self.policy.version if self.policy is not None and self.token is not None else None
        return Decided(decision, self.token, version, request)

    def required(self, operation: str | None) -> TokenScope:
        known = self.policy.operations.get(operation or "") if self.policy is not None else None
        return known.scope if known is not None else TokenScope()


class McpDoor:
    """The ASGI application that answers at `/mcp`."""

    def __init__(
        self,
        settings: Settings,
        policy: PolicyFile,
        verifier: Callable[[Policy], TokenVerifier],
        upstream: Upstream,
        relay: Relay,
        clock: Clock,
        decisions: DecisionLog,
        limits: CountedCalls,
        tools: ToolRegistry,
    ) -> None:
        self._settings = settings
        self._origins = frozenset(settings.mcp_allowed_origins.split())
        self._policy = policy
        self._verifier = verifier
        self._upstream = upstream
        self._relay = relay
        self._clock = clock
        self._decisions = decisions
        self._limits = limits
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        exchange = _Exchange(scope, headers_of(scope), receive)
        try:
            decided = await self._judged(exchange)
        except CallerGone:
            return
        decided, record = await recorded(
            self._decisions,
            decided,
            lambda one: record_of(one, self._clock(), exchange.resource, exchange.call),
            before_effect=exchange.changes,
        )
        decision, fields = decided.decision, decision_headers(decided.decision, record.decision_id)
        message, policy, token = exchange.message, exchange.policy, exchange.token
        if isinstance(decision, Deny) or (message is not None and message.method == LIST):
            await self._decisions.printed(record)
        else:
            self._decisions.print(record)  # it is out before the server can have answered
        if isinstance(decision, Deny):
            url, required = self._settings.resource_metadata_url + PATH, exchange.required(decision.operation)
            answer = refused(decision, exchange.id, fields, url, exchange.headers, required)
            await answer(scope, receive, send)
            return
        assert message is not None and policy is not None and token is not None  # noqa: S101, PT018 - permitted
        if message.method == LIST:
            shown = (
                self._tools.accepted(policy, one) for one in callable_tools(policy, token, self._clock())
            )
            ttl_ms = int(self._settings.tools_refresh_seconds * 1000) if exchange.version == MODERN else None
            answer = tool_list((one for one in shown if one), exchange.id, fields, ttl_ms=ttl_ms)
            await answer(scope, receive, send)
            return
        onward = Onward(
            message,
            [*repeated(exchange.version, message), *written(exchange.repeated)],
            decision,
            fields,
            exchange.required(decision.operation),
        )
        await pass_on(onward, scope, exchange.receive, send, self._relay)

    async def _judged(self, exchange: _Exchange) -> Decided:
        """Decide by one and the same policy throughout."""
        # A browser sends it by itself, so it is looked at first, and it tells nothing of what is here.
        foreign = foreign_origin(exchange.headers, self._origins)
        if foreign is not None:
            return Decided(foreign)
        try:
            exchange.policy = policy = self._policy.current()
            verifier = self._verifier(policy)
            exchange.token = token = await authenticated(exchange.scope, verifier)
            message, exchange.receive = await received_message(
                exchange.scope,
                exchange.receive,
                max_bytes=self._settings.max_body_bytes,
                seconds=self._settings.held_body_seconds,
            )
            exchange.message = message
            exchange.id = message.id
            exchange.version = agreed_version(exchange.headers, message)
            check_method(exchange.headers, message)
            check_name(exchange.headers, message)
            if message.method == CALL:
                return await self._called(exchange, policy, token, message, verifier)
            decision = decide_on_protocol(policy, message.method, token, self._clock())
            if isinstance(decision, Permit) and message.method == LIST:
                await self._look(exchange, policy)
            verifier.check_still_good(token)
            return exchange.decided(decision)
        except (BearerError, Unverifiable, UnsoundPolicy) as error:
            if isinstance(error, BearerError) and exchange.policy is not None:
                error.scope = error.scope or exchange.policy.scope
            return exchange.decided(unauthenticated(error))
        except Refused as error:
            exchange.id = error.id if exchange.id is None else exchange.id
            return exchange.decided(error.deny)
        except (UnusableBody, UpstreamFault) as fault:
            return exchange.decided(Deny(fault.status, fault.kind, fault.reason, fault.next_step))

    async def _called(
        self,
        exchange: _Exchange,
        policy: Policy,
        token: AccessToken,
        message: Message,
        verifier: TokenVerifier,
    ) -> Decided:
        """Decide on the call of a tool."""
        found = called_tool(policy, message.params)
        if isinstance(found, Deny):
            return exchange.decided(found)
        tool, arguments = found
        name = policy.tools[tool]
        operation = policy.operations[name]
        exchange.changes = operation.changes
        exchange.resource = resource_of(operation, arguments) or PATH
        exchange.call = {"method": CALL, "tool": tool}
        request = Request(name, token, self._clock(), {})
        refusal = refusal_of_token(policy, request)
        if refusal is not None:
            return exchange.decided(refusal, request)
        try:
            await self._look(exchange, policy, tool)
        except UpstreamFault as fault:
            return exchange.decided(
                Deny(fault.status, fault.kind, fault.reason, fault.next_step, name), request
            )
        verifier.check_still_good(token)
        definition = self._tools.accepted(policy, tool)
        if definition is None:
            return exchange.decided(deny_quarantined(name, tool), request)
        if exchange.version == MODERN:
            exchange.repeated = repeated_arguments(definition.input_schema, arguments)
            wrong = disagreeing(exchange.headers, exchange.repeated)
            if wrong is not None:
                raise mismatch(f"The header {wrong} is not what the argument says.", message)
        usable = arguments_of_call(operation, definition, arguments)
        request, decision = await decided_and_counted(
            policy, self._limits, name, token, self._clock(), usable
        )
        return exchange.decided(decision, request)

    async def _look(self, exchange: _Exchange, policy: Policy, tool: str | None = None) -> None:
        version, authorization = exchange.version or MODERN, exchange.headers["authorization"]
        await self._tools.look(policy, lambda: listed_tools(self._upstream, version, authorization), tool)
