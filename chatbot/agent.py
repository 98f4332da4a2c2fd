"""The agent's loop, written out: ask the model, carry out its tool calls, ask again, until it answers."""

import asyncio
import logging
import secrets
from typing import Final

from chatbot import tool_errors
from chatbot.conversation import Conversation, Conversations, TooManyQuestions, tool_message
from chatbot.events import Done, Failed, Text
from chatbot.model import Model, ModelFailed, Reply
from chatbot.prompt import system_prompt
from chatbot.step_log import Emit, StepLog
from chatbot.subject_token import Customer
from chatbot.tool_runner import Question, ToolRunner
from chatbot.tools import TOOLS
from delegation.clock import Clock
from delegation.trace import current_trace_id

_MAX_ROUNDS: Final = 6
_MAX_CALLS: Final = 16
_LOOK: Final = "If a transfer was under way, look at the latest transactions to see whether it was made."
_log = logging.getLogger(__name__)


class Agent:
    """Answers customers' questions: one at a time for each customer, each within `timeout_seconds`."""

    def __init__(
        self,
        model: Model,
        tools: ToolRunner,
        conversations: Conversations,
        clock: Clock,
        timeout_seconds: float,
    ) -> None:
        self._model = model
        self._tools = tools
        self._conversations = conversations
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    async def answer(self, customer: Customer, text: str, emit: Emit) -> None:
        """Answer a question. All that happens is told by `emit`, failures too, and `Done` at the end."""
        steps = StepLog(emit, self._clock)
        steps.question_admitted(customer)
        conversation = self._conversations.of(customer.sub)
        try:
            async with asyncio.timeout(self._timeout_seconds), conversation.turns:
                conversation.begin_turn(text)
                question = Question(customer, conversation, secrets.token_hex(16))
                await self._rounds(question, steps, emit)
        except TooManyQuestions:
            emit(_too_many_questions())
        except ModelFailed as failure:
            emit(_model_failed(failure))
        except TimeoutError:
            emit(_too_slow(self._timeout_seconds))
        except Exception:  # noqa: BLE001 - the customer is told that it failed; the log keeps why
            _log.exception("a question could not be answered")
            emit(_internal_fault())
        emit(Done(trace_id=current_trace_id()))

    async def _rounds(self, question: Question, steps: StepLog, emit: Emit) -> None:
        calls = 0
        for round_number in range(1, _MAX_ROUNDS + 1):
            may_call = round_number < _MAX_ROUNDS
            reply = await self._ask(question.conversation, emit, may_call=may_call)
            if reply.calls and not may_call:
                raise ModelFailed(f"The model did not come to an answer in {_MAX_ROUNDS} rounds.")
            question.conversation.messages.append(reply.as_message())
            if not reply.calls:
                return
            for wish in reply.calls:
                calls += 1
                if calls > _MAX_CALLS:
                    result = self._tools.refuse(tool_errors.too_many_calls(), wish, question)
                else:
                    result = await self._tools.run(wish, question, steps, calls)
                question.conversation.messages.append(tool_message(wish.call_id, result))

    async def _ask(self, conversation: Conversation, emit: Emit, *, may_call: bool) -> Reply:
        prompt = {"role": "system", "content": system_prompt(self._clock().date())}
        reply = await self._model.reply(
            [prompt, *conversation.messages],
            [tool.as_param() for tool in TOOLS],
            lambda delta: emit(Text(delta=delta)),
            may_call=may_call,
        )
        if not reply.text and not reply.calls:
            raise ModelFailed("The model answered nothing.")
        if reply.text and reply.calls:
            emit(Text(delta="\n\n"))  # what it says next is another message
        return reply


def _too_many_questions() -> Failed:
    return Failed(
        title="One question after the other",
        detail="The assistant is still busy with your earlier questions.",
        hint="Wait for the answer, then ask again.",
    )


def _model_failed(failure: ModelFailed) -> Failed:
    return Failed(
        title="The assistant's model gave no answer",
        detail=f"{failure} What was done up to here is shown below.",
        hint="Ask again. If it stays like this, check the chatbot's OPENAI_BASE_URL, OPENAI_MODEL and "
        "OPENAI_API_KEY; without the first and the last it uses its offline model.",
    )


def _too_slow(seconds: float) -> Failed:
    return Failed(
        title="The answer took too long",
        detail=f"The assistant stopped after {seconds:g} seconds. {_LOOK}",
        hint="Ask again, or raise QUESTION_TIMEOUT_SECONDS of the chatbot for a slow model.",
    )


def _internal_fault() -> Failed:
    return Failed(
        title="The assistant made a mistake",
        detail=f"Something went wrong inside the assistant. {_LOOK}",
        hint="The chatbot's log tells more.",
    )
