"""What a customer and the assistant have said: kept in memory, bounded in every direction."""

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from delegation.clock import Clock

Message = dict[str, Any]
"""A message of the Chat Completions protocol."""

_MAX_MESSAGES: Final = 60
_MAX_CHARACTERS: Final = 100_000
_MAX_CUSTOMERS: Final = 1_000
_MAX_WAITING: Final = 4
_MAX_UNSETTLED: Final = 20
_IDLE: Final = timedelta(minutes=30)
_INTERRUPTED: Final = {
    "error": {"code": "interrupted", "message": "The call was interrupted; its outcome is not known."}
}


class TooManyQuestions(Exception):
    """The customer asks faster than the answers come."""


@dataclass(slots=True)
class Turns:
    """A customer's questions, one after the other: a lock with a bound on those who wait."""

    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    async def __aenter__(self) -> None:
        if self._waiting >= _MAX_WAITING:
            raise TooManyQuestions
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_error: object) -> None:
        self._lock.release()


@dataclass(slots=True)
class Conversation:
    """One customer's conversation; hold `turns` while using it.

    `unsettled` holds the idempotency keys of transfers whose outcome is not known, by what was ordered: the
    same order takes the same key until there is an answer.
    """

    used_at: datetime
    messages: list[Message] = field(default_factory=list)
    unsettled: dict[str, str] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)

    def begin_turn(self, question: str) -> None:
        """Add a question; complete what an interrupted turn left open, and drop old turns if need be."""
        self._answer_open_calls()
        self.messages.append({"role": "user", "content": question})
        while len(self.messages) > _MAX_MESSAGES or self._characters() > _MAX_CHARACTERS:
            beginnings = [i for i, message in enumerate(self.messages) if message["role"] == "user"]
            if len(beginnings) < 2:
                break
            del self.messages[: beginnings[1]]

    def key_of(self, order: str, new_key: str) -> str:
        """Return the idempotency key of an order: the one of before while its outcome is not known."""
        while len(self.unsettled) >= _MAX_UNSETTLED and order not in self.unsettled:
            del self.unsettled[next(iter(self.unsettled))]
        return self.unsettled.setdefault(order, new_key)

    def settle(self, order: str) -> None:
        """Note that the outcome of an order is known."""
        self.unsettled.pop(order, None)

    def _answer_open_calls(self) -> None:
        """Give every tool call a result: the protocol refuses a history in which one has none."""
        with_calls = [i for i, message in enumerate(self.messages) if message.get("tool_calls")]
        if not with_calls:
            return
        answered = {message.get("tool_call_id") for message in self.messages[with_calls[-1] :]}
        for call in self.messages[with_calls[-1]]["tool_calls"]:
            if call["id"] not in answered:
                self.messages.append(tool_message(call["id"], _INTERRUPTED))

    def _characters(self) -> int:
        return sum(len(json.dumps(message)) for message in self.messages)


class Conversations:
    """The conversations by customer: the least recently used goes first, an idle one after half an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_customer: OrderedDict[str, Conversation] = OrderedDict()

    def of(self, sub: str) -> Conversation:
        """Return the customer's conversation, a new one if there is none."""
        now = self._clock()
        self._drop_idle(now)
        conversation = self._by_customer.setdefault(sub, Conversation(now))
        conversation.used_at = now
        self._by_customer.move_to_end(sub)
        while len(self._by_customer) > _MAX_CUSTOMERS:
            self._by_customer.popitem(last=False)
        return conversation

    def forget(self, sub: str) -> None:
        """Forget what a customer has said. What is not settled stays, and whoever's turn it is keeps it."""
        old = self._by_customer.get(sub)
        if old is not None:
            self._by_customer[sub] = Conversation(old.used_at, unsettled=old.unsettled, turns=old.turns)

    def _drop_idle(self, now: datetime) -> None:
        while self._by_customer:
            oldest = next(iter(self._by_customer.values()))
            if now - oldest.used_at < _IDLE:
                return
            self._by_customer.popitem(last=False)


def tool_message(call_id: str, result: Message) -> Message:
    """Return what a tool gave, in the form of the protocol."""
    return {"role": "tool", "tool_call_id": call_id, "content": json.dumps(result, ensure_ascii=False)}
