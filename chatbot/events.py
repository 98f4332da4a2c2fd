"""What `POST /chat` streams: text as it comes, and one event for each step of the documented flow."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from fastapi.sse import ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

Service = Literal["banking_app", "chatbot", "auth_server", "gateway", "account_api"]


class Event(BaseModel):
    """A server-sent event: `name` is its type, its fields are the data."""

    name: ClassVar[str]
    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    def as_sse(self) -> ServerSentEvent:
        """Return the event in the form that FastAPI streams."""
        return ServerSentEvent(event=self.name, data=self)


class Step(Event):
    """One step, 2 to 6, of the documented flow. Tokens are shown as their claims, never encoded.

    `call` numbers the tool calls of a question from 1, and is 0 for the question itself. `record_id` names
    the record that the service which decided has written, where it says. `failed` says that whom the step
    was for gave no usable answer, so that there is no decision; `hint` tells the trainer what to do about a
    step that failed or was refused.
    """

    name: ClassVar[str] = "step"

    step: int = Field(ge=2, le=6)
    title: str
    source: Service = Field(alias="from")
    target: Service = Field(alias="to")
    at: datetime
    call: int = 0
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


class Text(Event):
    """The next piece of the answer."""

    name: ClassVar[str] = "text"

    delta: str


class Failed(Event):
    """The question could not be answered: what happened, and what to do."""

    name: ClassVar[str] = "error"

    title: str
    detail: str
    hint: str


class Done(Event):
    """The end, always the last event. `trace_id` is the question's W3C trace id."""

    name: ClassVar[str] = "done"

    trace_id: str
