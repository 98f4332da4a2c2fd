"""One tool call from the model's wish to its result: steps 3 to 6 of the flow."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from chatbot import tool_errors
from chatbot.call_refusals import CallRefusals
from chatbot.challenge import widened
from chatbot.conversation import Conversation
from chatbot.delegation_tokens import DelegationTokens, ExchangeRefused
from chatbot.events import Service
from chatbot.gateway_answer import AccountApiClient, Answer, NoAnswer
from chatbot.model import ToolCall
from chatbot.step_log import StepLog
from chatbot.subject_token import Customer
from chatbot.tool_errors import ToolError
from chatbot.tools import TOOLS, Call, Tool, scope_to_ask_for
from delegation.scope import Scope

_TOOL_OF_NAME: Final = {tool.name: tool for tool in TOOLS}
_CONDITION: Final = "condition-not-met"
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Question:
    """What a tool call is made for: who asks, in which conversation, and the question's own random id.

    `ordered` is the transfer that was tried for it, if one was: a customer's one yes is for one transfer.
    """

    customer: Customer
    conversation: Conversation
    question_id: str
    ordered: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What an answered call came to: the answer's status, and its result or why there is none.

    `demanded` is the scope that the call was refused for the lack of.
    """

    status: int
    result: dict[str, Any] | ToolError
    demanded: Scope | None


@dataclass(frozen=True, slots=True)
class _Order:
    """One call for a customer, which may be attempted again with another token and the same key."""

    tool: Tool
    call: Call
    customer: Customer
    idempotency_key: str | None


class ToolRunner:
    """Carries out tool calls, each with a delegation token for its one scope, through the gateway."""

    def __init__(self, tokens: DelegationTokens, gateway: AccountApiClient, refusals: CallRefusals) -> None:
        self._tokens = tokens
        self._gateway = gateway
        self._refusals = refusals

    async def run(self, wish: ToolCall, question: Question, steps: StepLog, number: int) -> dict[str, Any]:
        """Return the result for the model; a failure is told to it in plain words."""
        tool = _TOOL_OF_NAME.get(wish.name)
        if tool is None:
            return self.refuse(tool_errors.unknown_tool(), wish, question)
        try:
            call = validated_call(tool, wish.arguments)
        except ToolError as error:
            return self.refuse(error, wish, question)
        log = steps.of_call(number, tool.operation)
        ordered = _ordered(call) if tool.writes else None
        if ordered and question.ordered not in ([], [ordered]):
            return self.refuse(tool_errors.one_transfer_at_a_time(), wish, question)
        try:
            if ordered:
                question.ordered[:] = [ordered]
                outcome = await self._written_once(ordered, tool, call, question, log)
            else:
                outcome = await self._outcome(tool, call, question, log, None)
        except ToolError as error:
            return error.as_result()
        return outcome.result.as_result() if isinstance(outcome.result, ToolError) else outcome.result

    def refuse(self, refusal: ToolError, wish: ToolCall, question: Question) -> dict[str, Any]:
        """Record that this agent does not even try to make a call, and return the result for the model."""
        tool = _TOOL_OF_NAME.get(wish.name)
        self._refusals.record(refusal, tool.operation if tool else None, question.customer)
        return refusal.as_result()

    async def _written_once(
        self, order: str, tool: Tool, call: Call, question: Question, log: StepLog
    ) -> _Outcome:
        """Make a call that writes, with an idempotency key that the order keeps until its outcome is known.

        The key depends on the question and the order, and not on the model's id for the call: a model that
        repeats itself does not pay twice.
        """
        key = question.conversation.key_of(order, new_key=f"{question.question_id}-{order}")
        outcome = await self._outcome(tool, call, question, log, key)
        if outcome.status < 500:
            question.conversation.settle(order)
        return outcome

    async def _outcome(
        self, tool: Tool, call: Call, question: Question, log: StepLog, idempotency_key: str | None
    ) -> _Outcome:
        """Return the outcome of a call; when its token is not accepted, that of another with a new one.

        One more is made when the refusal demands a wider scope that the agent may ask for: with the same key.
        """
        order = _Order(tool, call, question.customer, idempotency_key)
        outcome = await self._attempt(order, tool.scope, log)
        if outcome.status == _UNAUTHORIZED:
            self._tokens.drop(question.customer, tool.scope)
            outcome = await self._attempt(order, tool.scope, log)
        wider = widened(tool.scope, outcome.demanded, scope_to_ask_for(tool))
        if wider is not None:
            outcome = await self._attempt(order, wider, log)
            if outcome.status == _UNAUTHORIZED:  # the next call gets a new one; this one has had its retry
                self._tokens.drop(question.customer, wider)
        return outcome

    async def _attempt(self, order: _Order, scope: Scope, log: StepLog) -> _Outcome:
        tool, call, step_up = order.tool, order.call, scope != order.tool.scope
        try:
            token = await self._tokens.get(order.customer, scope, tool.operation)
        except ExchangeRefused as refusal:
            failure = tool_errors.exchange_refused(refusal.error, scope, tool.purpose)
            log.exchange_refused(refusal, failure, step_up=step_up)
            raise failure from refusal
        log.issued(token, step_up=step_up)
        shown = self._gateway.shown(call, order.idempotency_key)
        try:
            answer = await self._gateway.call(call, token.issued.access_token, order.idempotency_key)
        except NoAnswer as error:
            failure = _down(tool, "gateway", "did not answer")
            log.unanswered(shown, token, failure)
            raise failure from error
        result = _result(tool, answer)
        log.answered(shown, token, answer, result if isinstance(result, ToolError) else None)
        return _Outcome(answer.status, result, answer.demanded)


def validated_call(tool: Tool, arguments: str) -> Call:
    """Return the call that the model's arguments ask for.

    Raises:
        ToolError: they are no JSON, or do not fit the tool's schema.
    """
    try:
        return tool.arguments.model_validate_json(arguments or "{}").call()
    except ValueError as error:  # pydantic's ValidationError is one
        raise tool_errors.invalid_arguments(error) from error


def _ordered(call: Call) -> str:
    """Return what stands for a transfer's content, however it was written."""
    return hashlib.sha256(json.dumps(call.body, sort_keys=True).encode()).hexdigest()[:32]


def _result(tool: Tool, answer: Answer) -> dict[str, Any] | ToolError:
    if answer.decision == "deny":
        reason = answer.reason or answer.detail or "no reason given."
        if answer.kind == _CONDITION:
            return tool_errors.against_policy(reason, answer.status)
        return tool_errors.gateway_refused(reason, answer.status, tool.purpose)
    if answer.status >= 500:
        service: Service = "account_api" if answer.decision == "permit" else "gateway"
        return _down(tool, service, f"did not serve the request (status {answer.status})")
    if answer.status >= 300:
        return tool_errors.bank_problem(answer.body, answer.status, tool.purpose)
    try:
        return tool.result.model_validate(answer.body).model_dump(mode="json")
    except ValidationError:
        return tool_errors.unusable_answer(tool.purpose)


def _down(tool: Tool, service: Service, lack: str) -> ToolError:
    if tool.writes:
        return tool_errors.outcome_unknown(service, lack)
    return tool_errors.bank_down(service, lack, tool.purpose)
