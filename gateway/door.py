"""The door: every call is authenticated, decided, recorded, and only then passed on."""

import logging
from collections.abc import Callable
from typing import Final

from starlette.types import Receive, Scope, Send

from delegation.bearer import BearerError
from delegation.clock import Clock
from delegation.token import AccessToken
from delegation.unverifiable import Unverifiable
from delegation.verification import TokenVerifier
from gateway.arguments import UnusableArgument, read_arguments
from gateway.authentication import authenticated, unauthenticated
from gateway.call_record import Decided, decision_record
from gateway.condition import Value
from gateway.decision import Deny, Permit, Request, refusal_of_token
from gateway.decision_log import DecisionLog
from gateway.limited_decision import CountedCalls, decided_and_counted
from gateway.policy import WITH_BODY, Operation, Policy
from gateway.policy_file import PolicyFile, UnsoundPolicy
from gateway.problems import refused, unanswered
from gateway.recorded_decision import recorded
from gateway.relay import CutShort, Relay
from gateway.request_body import BodyTooLong, CallerGone, UnusableBody, held_body
from gateway.request_headers import ambiguity, declared_length, has_body, headers_of
from gateway.response_headers import decision_headers
from gateway.rest import Target, target_of
from gateway.settings import Settings
from gateway.upstream import UpstreamFault

_SAFE: Final = frozenset({"GET", "HEAD"})
"""The methods that change nothing at the resource; a permit for any other is on disk before its effect."""

_NO_WEBSOCKET: Final = Deny(400, "no-websocket", "WebSockets are not taken here.", "Send plain requests.")
_log = logging.getLogger(__name__)


class Door:
    """The ASGI application that stands before the resource, with no framework on the way."""

    def __init__(
        self,
        settings: Settings,
        policy: PolicyFile,
        verifier: Callable[[Policy], TokenVerifier],
        relay: Relay,
        clock: Clock,
        decisions: DecisionLog,
        limits: CountedCalls,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._verifier = verifier
        self._relay = relay
        self._clock = clock
        self._decisions = decisions
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        try:
            decided, receive = await self._decide(scope, receive)
        except CallerGone:
            return
        decided, record = await recorded(
            self._decisions,
            decided,
            lambda one: decision_record(one, scope, self._clock()),
            before_effect=scope.get("method") not in _SAFE,
        )
        decision, headers = decided.decision, decision_headers(decided.decision, record.decision_id)
        if isinstance(decision, Deny):
            await self._decisions.printed(record)
            answer = refused(decision, headers, self._settings.resource_metadata_url)
            await answer(scope, receive, send)
            return
        self._decisions.print(record)  # it is out before the resource can have answered
        await self._pass_on(decision, headers, scope, receive, send)

    async def _pass_on(
        self, permit: Permit, headers: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            await self._relay(
                scope,
                receive,
                send,
                max_body_bytes=self._settings.max_body_bytes,
                add=[(name.encode(), value.encode()) for name, value in headers.items()],
            )
        except (UpstreamFault, UnusableBody) as fault:
            # Its cause is named by type only: an HTTP client's errors may quote the request, token and all.
            _log.warning("%s %s: %r", headers["decision-id"], fault.reason, type(fault.__cause__))
            await unanswered(fault, permit, headers)(scope, receive, send)
        except CutShort as fault:
            # To return without the end of the answer makes the server close the connection: cut short, the
            # answer never looks complete.
            _log.warning("%s The answer was cut short: %r", headers["decision-id"], type(fault.__cause__))
        except CallerGone:
            pass

    async def _decide(self, scope: Scope, receive: Receive) -> tuple[Decided, Receive]:
        """Decide by one and the same policy throughout; the body comes by the `receive` returned."""
        if scope["type"] == "websocket":
            return Decided(_NO_WEBSOCKET), receive
        # Who has shown no good token is told nothing about paths, methods or policy.
        try:
            policy = self._policy.current()
            verifier = self._verifier(policy)
            token = await authenticated(scope, verifier)
        except (BearerError, Unverifiable, UnsoundPolicy) as error:
            return Decided(unauthenticated(error)), receive
        target = target_of(policy, scope["method"], scope["raw_path"])
        if isinstance(target, Deny):
            return Decided(target, token, policy.version), receive
        objection = self._objection(scope, target.operation)
        reads_body = policy.operations[target.operation].reads_body
        if objection is None and not reads_body:
            return await self._decided(policy, scope, target, token, b""), receive
        # What the token alone forbids comes first, and before anybody waits for a body.
        request = Request(target.operation, token, self._clock(), {})
        refusal = refusal_of_token(policy, request) or objection
        body = b""
        if refusal is None:
            try:
                body, receive = await self._held(scope, receive)
                verifier.check_still_good(token)
            except UnusableBody as fault:
                refusal = Deny(fault.status, fault.kind, fault.reason, fault.next_step, target.operation)
            except (BearerError, Unverifiable) as error:
                refusal = unauthenticated(error)
        if refusal is not None:
            return Decided(refusal, token, policy.version, request), receive
        return await self._decided(policy, scope, target, token, body), receive

    async def _decided(
        self, policy: Policy, scope: Scope, target: Target, token: AccessToken, body: bytes
    ) -> Decided:
        arguments = _arguments(scope, policy.operations[target.operation], target, body)
        request, decision = await decided_and_counted(
            policy, self._limits, target.operation, token, self._clock(), arguments
        )
        return Decided(decision, token, policy.version, request)

    async def _held(self, scope: Scope, receive: Receive) -> tuple[bytes, Receive]:
        return await held_body(
            receive,
            present=has_body(headers_of(scope)),
            limit=self._settings.max_body_bytes,
            seconds=self._settings.held_body_seconds,
        )

    def _objection(self, scope: Scope, operation: str) -> Deny | None:
        """Refuse a permitted call that could mean something else to the resource, or is too long."""
        headers = headers_of(scope)
        reason = ambiguity(headers, scope["query_string"])
        if reason is not None:
            return Deny(400, "ambiguous-request", reason, "Send the call without it.", operation)
        if has_body(headers) and scope["method"] not in WITH_BODY:
            # Such a body has no meaning, and waiting for its end would hold the call up at the resource.
            reason = f"{operation} takes no body."
            return Deny(400, "unexpected-body", reason, "Send the call without one.", operation)
        if declared_length(headers) > self._settings.max_body_bytes:
            next_step = f"Send at most {self._settings.max_body_bytes} bytes."
            return Deny(413, BodyTooLong.kind, BodyTooLong.reason, next_step, operation)
        return None


def _arguments(
    scope: Scope, operation: Operation, target: Target, body: bytes
) -> dict[str, Value] | UnusableArgument:
    if not operation.arguments:
        return {}
    content_type = headers_of(scope).get("content-type", "")
    try:
        return read_arguments(
            operation.arguments, target.parameters, scope["query_string"], body, content_type
        )
    except UnusableArgument as error:
        return error
