"""What the chatbot streams: text as it comes, and one event per step of the documented flow."""

import json
import re
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from httpx2 import ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_ENCODED_TOKEN: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*")
_NOT_SHOWN: Final = "[an encoded token, not shown]"


class UnusableEvent(Exception):
    """The chatbot sent something that is not one of its events."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Step(_Event):
    """One step, 2 to 6, of one tool call: who called whom, with what, and what was decided.

    `call` numbers the assistant's tool calls from 1; 0 is the question itself. Tokens are claims only.
    `failed` means that nobody decided, for lack of an answer; `hint` is for the trainer.
    """

    step: int = Field(ge=2, le=6)
    title: str = ""
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    at: datetime
    call: int = Field(default=0, ge=0)
    operation: str | None = None
    request: dict[str, Any] | None = None
    token: dict[str, Any] | None = None
    decision: Literal["permit", "deny"] | None = None
    failed: bool = False
    hint: str | None = None
    reason: str | None = None
    decision_id: str | None = None
    record_id: str | None = None
    reused: bool = False


class Text(_Event):
    """The next piece of the answer."""

    delta: str


class ChatError(_Event):
    """The assistant could not finish, in words for the customer and the trainer."""

    title: str
    detail: str
    hint: str = ""


class Done(_Event):
    """The end of the answer."""

    trace_id: str


ChatEvent: TypeAlias = Step | Text | ChatError | Done
_KINDS: Final[dict[str, type[Step] | type[Text] | type[ChatError] | type[Done]]] = {
    "step": Step,
    "text": Text,
    "error": ChatError,
    "done": Done,
}


def chat_event(sent: ServerSentEvent) -> ChatEvent | None:
    """Read one server-sent event; None for a kind that this app does not know.

    Raises:
        UnusableEvent: it is of a known kind, and malformed.
    """
    kind = _KINDS.get(sent.event)
    if kind is None:
        return None
    try:
        return kind.model_validate(without_encoded_tokens(json.loads(sent.data)))
    except (ValueError, ValidationError, RecursionError):
        raise UnusableEvent(f"the chatbot's {sent.event} event is malformed") from None


def without_encoded_tokens(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value with everything that looks like an encoded JWT blotted out.

    Nobody should send one here. This is the last line before the screen and the database.
    """
    if isinstance(value, str):
        return _ENCODED_TOKEN.sub(_NOT_SHOWN, value)
    if isinstance(value, list):
        return [without_encoded_tokens(item) for item in value]
    if isinstance(value, dict):
        return {name: without_encoded_tokens(item) for name, item in value.items()}
    return value
