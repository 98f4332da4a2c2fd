"""What a customer and the assistant said, and what happened for it: kept for a reload or a new sign-on."""

import threading
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite import insert

from banking_app.chat_events import Step
from banking_app.database import CONVERSATION, hash_of
from banking_app.encryption import Unreadable, Vault
from banking_app.failures import WayOn
from delegation.clock import Clock, utc_now

MAX_TURNS: Final = 20
_MAX_BYTES: Final = 1_000_000


class Trouble(BaseModel):
    """Why there is no complete answer, in the words of a `Failure`."""

    model_config = ConfigDict(frozen=True)

    title: str
    detail: str
    hint: str
    way_on: WayOn = "try_again"


class Turn(BaseModel):
    """One question, its answer, and the six steps behind it.

    `sign_on` holds the ID token's claims: step 1. `records` are those of the services that show theirs;
    `records_lacking` names services that should have and did not.
    """

    model_config = ConfigDict(frozen=True)

    question: str
    asked_at: datetime
    trace_id: str
    sign_on: dict[str, Any] = Field(default_factory=dict)
    answer: str = ""
    steps: tuple[Step, ...] = ()
    records: tuple[dict[str, Any], ...] = ()
    records_lacking: tuple[str, ...] = ()
    trouble: Trouble | None = None


class Conversation(BaseModel):
    """A customer's turns, oldest first."""

    model_config = ConfigDict(frozen=True)

    turns: tuple[Turn, ...] = ()

    def with_turn(self, turn: Turn) -> "Conversation":
        """Return the conversation with one more turn; the oldest turns make room."""
        return Conversation(turns=(*self.turns, turn)[-MAX_TURNS:])


class Conversations:
    """One conversation per customer, sealed; dropped after the longest life of a session."""

    def __init__(self, engine: Engine, vault: Vault, max_seconds: int, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._vault = vault
        self._max_seconds = max_seconds
        self._clock = clock
        self._one_writer = threading.Lock()

    def of(self, sub: str) -> Conversation:
        """Return the customer's conversation, empty when there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(
                CONVERSATION.select().where(
                    CONVERSATION.c.sub_hash == hash_of(sub),
                    CONVERSATION.c.used_at > self._now() - self._max_seconds,
                )
            ).one_or_none()
        try:
            return self._vault.unseal(row.sealed, Conversation) if row else Conversation()
        except Unreadable:
            return Conversation()

    def add(self, sub: str, turn: Turn) -> None:
        """Add a turn to the customer's conversation; two that end at once in two tabs are both kept."""
        with self._one_writer:
            self._keep(sub, self.of(sub).with_turn(turn))

    def forget(self, sub: str) -> None:
        """Delete the customer's conversation."""
        with self._engine.begin() as connection:
            connection.execute(CONVERSATION.delete().where(CONVERSATION.c.sub_hash == hash_of(sub)))

    def _keep(self, sub: str, conversation: Conversation) -> None:
        """Write the conversation, without its oldest turns where it grows too large."""
        sealed = self._vault.seal(conversation)
        while len(sealed) > _MAX_BYTES and conversation.turns:
            conversation = Conversation(turns=conversation.turns[1:])
            sealed = self._vault.seal(conversation)
        values = {"used_at": self._now(), "sealed": sealed}
        with self._engine.begin() as connection:
            connection.execute(
                CONVERSATION.delete().where(CONVERSATION.c.used_at <= self._now() - self._max_seconds)
            )
            connection.execute(
                insert(CONVERSATION)
                .values(sub_hash=hash_of(sub), **values)
                .on_conflict_do_update(index_elements=["sub_hash"], set_=values)
            )

    def _now(self) -> int:
        return int(self._clock().timestamp())
