"""The steps of the flow as they happen, each told as an event: what was asked and decided, never a token."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Required, TypedDict, Unpack

from chatbot.claims import shown_claims
from chatbot.delegation_tokens import DelegationToken, ExchangeRefused
from chatbot.events import Event, Service, Step
from chatbot.gateway_answer import Answer
from chatbot.subject_token import Customer
from chatbot.tool_errors import ToolError
from delegation.clock import Clock
from delegation.record import Decision

Emit = Callable[[Event], None]
_STEP_UP: Final = (
    "The call was refused for too little scope (403 insufficient_scope), and its scope named more."
)


class _Outcome(TypedDict, total=False):
    decision: Decision | None
    failed: bool
    hint: str | None
    reason: str | None
    decision_id: str | None
    record_id: str | None


class _Fields(_Outcome, total=False):
    title: Required[str]
    source: Required[Service]
    target: Required[Service]
    request: dict[str, Any] | None
    token: dict[str, Any] | None
    reused: bool


class StepLog:
    """Emits the steps of one question; `of_call` gives the log of one of its tool calls."""

    def __init__(self, emit: Emit, clock: Clock, call: int = 0, operation: str | None = None) -> None:
        self._emit = emit
        self._clock = clock
        self._call = call
        self._operation = operation

    def of_call(self, call: int, operation: str) -> "StepLog":
        """Return the log of a tool call, by its number from 1."""
        return StepLog(self._emit, self._clock, call, operation)

    def question_admitted(self, customer: Customer) -> None:
        """Step 2: the subject token is good."""
        self._step(
            2,
            title="Subject token verified",
            source="banking_app",
            target="chatbot",
            token=shown_claims(customer.encoded),
            decision="permit",
            reason="The token is for this agent, and names it as the one that may act.",
            record_id=customer.record_id,
        )

    def issued(self, token: DelegationToken, *, step_up: bool) -> None:
        """Steps 3 and 4: a delegation token was issued, now or for an earlier call.

        `step_up` tells that it is a second one for the same call, which was refused for too little scope.
        """
        self._asked(token.request, reused=token.reused, step_up=step_up, record_id=token.record_id)
        self._step(
            4,
            title="Delegation token reused" if token.reused else "Delegation token issued",
            source="auth_server",
            target="chatbot",
            token=token.claims,
            decision="permit",
            reason="Issued for an earlier call and still good." if token.reused else None,
            reused=token.reused,
        )

    def exchange_refused(self, refusal: ExchangeRefused, failure: ToolError, *, step_up: bool) -> None:
        """Steps 3 and 4: there is no delegation token. Where nobody decided, step 4 is not reached."""
        reason = f"{refusal.error.error}: {refusal.error.description}"
        if refusal.error.undecided:
            self._asked(
                refusal.request,
                step_up=step_up,
                record_id=refusal.record_id,
                failed=True,
                reason=reason,
                hint=failure.hint,
            )
            return
        self._asked(refusal.request, step_up=step_up, record_id=refusal.record_id)
        self._step(
            4,
            title="Token exchange refused",
            source="auth_server",
            target="chatbot",
            decision="deny",
            reason=reason,
            hint=failure.hint,
        )

    def answered(
        self, request: Mapping[str, Any], token: DelegationToken, answer: Answer, failure: ToolError | None
    ) -> None:
        """Steps 5 and 6: what the gateway decided, and what the account API then answered.

        `failure` is why the answer is no result.
        """
        hint = failure.hint if failure else None
        undecided = answer.decision is None and answer.status >= 500
        ends_here = undecided or answer.decision == "deny"
        self._called(
            request,
            token,
            decision=answer.decision,
            failed=undecided,
            hint=hint if ends_here else None,
            reason=_why_not_served(answer) if undecided else answer.reason,
            decision_id=answer.decision_id,
        )
        if ends_here:
            return
        refused = 400 <= answer.status < 500
        self._step(
            6,
            title="Account API did not serve the request" if failure else "Account API served the request",
            source="gateway",
            target="account_api",
            request={"status": answer.status},
            decision="deny" if refused else None if failure else "permit",
            failed=failure is not None and not refused,
            hint=hint,
            reason=_why_not_served(answer) if failure else None,
            record_id=answer.record_id,
        )

    def unanswered(self, request: Mapping[str, Any], token: DelegationToken, failure: ToolError) -> None:
        """Step 5 without an end: nobody decided."""
        self._called(request, token, failed=True, reason="The gateway does not answer.", hint=failure.hint)

    def _asked(
        self, request: dict[str, Any], *, step_up: bool, reused: bool = False, **outcome: Unpack[_Outcome]
    ) -> None:
        title = "Second token exchange requested" if step_up else "Token exchange requested"
        if step_up:
            outcome.setdefault("reason", _STEP_UP)
        self._step(
            3,
            title="Token exchange not needed" if reused else title,
            source="chatbot",
            target="auth_server",
            request=request,
            reused=reused,
            **outcome,
        )

    def _called(
        self, request: Mapping[str, Any], token: DelegationToken, **outcome: Unpack[_Outcome]
    ) -> None:
        self._step(
            5,
            title="Gateway validation",
            source="chatbot",
            target="gateway",
            request=dict(request),
            token=token.claims,
            reused=token.reused,
            **outcome,
        )

    def _step(self, step: int, **fields: Unpack[_Fields]) -> None:
        self._emit(Step(step=step, at=self._clock(), call=self._call, operation=self._operation, **fields))


def _why_not_served(answer: Answer) -> str:
    if answer.status < 300:
        return "The answer cannot be read."
    return answer.detail or f"It answered {answer.status}."
