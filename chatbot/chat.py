"""`/chat`: a customer's question, answered as server-sent events, and the end of a conversation."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from chatbot.agent import Agent
from chatbot.conversation import Conversations
from chatbot.delegation_tokens import DelegationTokens
from chatbot.events import Done, Event
from chatbot.openapi import CHAT, FORGET
from chatbot.subject_token import Customer, Reception
from delegation.problem import Problem

_MAX_BODY_BYTES: Final = 16 * 1024
_LAST_SECONDS: Final = 3.0

# Only for the OpenAPI document: it refuses nothing. `Reception` does.
_subject_token: Final = HTTPBearer(scheme_name="subject_token", bearerFormat="JWT", auto_error=False)
router: Final = APIRouter(dependencies=[Depends(_subject_token)])


class ChatRequest(BaseModel):
    """A question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


@dataclass(frozen=True, slots=True)
class Chatbot:
    """What the routes need."""

    reception: Reception
    agent: Agent
    conversations: Conversations
    tokens: DelegationTokens
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, customer: Customer, message: str) -> "asyncio.Queue[Event]":
        """Begin to answer, and return the queue that the events arrive in; `Done` is the last.

        A caller that goes away does not stop it: a transfer may be under way, and the conversation must say
        how it ended.
        """
        events: asyncio.Queue[Event] = asyncio.Queue()
        task = asyncio.create_task(self.agent.answer(customer, message, events.put_nowait))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return events

    async def finish(self) -> None:
        """Let what is under way come to its end, for a moment; then break it off."""
        if self.under_way:
            _, late = await asyncio.wait(self.under_way, timeout=_LAST_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def chatbot(request: Request) -> Chatbot:
    """Return what the application was wired with."""
    bot: Chatbot = request.app.state.chatbot
    return bot


ChatbotDep = Annotated[Chatbot, Depends(chatbot)]


async def admitted(request: Request, bot: ChatbotDep) -> Customer:
    """Return who asks: step 2, before anything else is looked at."""
    return await bot.reception.admit(
        request.headers.getlist("authorization"), request.query_params, f"{request.method} /chat"
    )


CustomerDep = Annotated[Customer, Depends(admitted)]


async def question(request: Request, _customer: CustomerDep) -> str:
    """Return the question in the body.

    Raises:
        Problem: 413 or 422, the body is not what the OpenAPI document describes.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise Problem(
                413, f"The body is longer than {_MAX_BODY_BYTES} bytes. A question is much shorter."
            )
    try:
        return ChatRequest.model_validate_json(body).message
    except ValidationError as error:
        raise Problem(
            422, 'The body must be JSON like {"message": "..."}, with a text of 1 to 2000 characters.'
        ) from error


@router.post("/chat", operation_id="chat", response_class=EventSourceResponse, **CHAT)
async def chat(
    customer: CustomerDep, message: Annotated[str, Depends(question)], bot: ChatbotDep
) -> AsyncIterator[ServerSentEvent]:
    """Answer a question for the customer whose subject token comes with it."""
    events = bot.begin(customer, message)
    while True:
        event = await events.get()
        yield event.as_sse()
        if isinstance(event, Done):
            return


@router.delete("/chat", operation_id="forget", status_code=204, **FORGET)
async def forget(customer: CustomerDep, bot: ChatbotDep) -> None:
    """Forget the customer's conversation, and every delegation token for the customer."""
    bot.conversations.forget(customer.sub)
    bot.tokens.forget(customer.sub)
