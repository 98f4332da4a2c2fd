"""The model's tool calls that this agent refuses by itself, before any token is asked for: their records."""

from dataclasses import dataclass
from typing import Final

from chatbot.subject_token import Customer
from chatbot.tool_errors import ToolError
from delegation.clock import Clock
from delegation.record import Record, of_token, print_record

_REASONS: Final = {
    "unknown-tool": "the model called a tool that it was not offered",
    "invalid-arguments": "the model's arguments do not fit the tool",
    "one-transfer-at-a-time": "the question has had its transfer",
    "too-many-calls": "the question has had all its tool calls",
}
"""By the error's code. Its message may repeat names that the model made up, and so may be anybody's text."""


@dataclass(frozen=True, slots=True)
class CallRefusals:
    """Records what never gets as far as the authorization server. `client_id` is the agent's."""

    client_id: str
    clock: Clock

    def record(self, refusal: ToolError, operation: str | None, customer: Customer) -> None:
        """Record a refused call; `operation` is None for a tool that there is not."""
        acting = {"act": (self.client_id,), "client_id": self.client_id, "aud": (), "scope": ""}
        print_record(
            Record(
                service="chatbot",
                step=3,
                decision="deny",
                reason=f"{refusal.code}: {_REASONS[refusal.code]}",
                operation=operation or "unknown",
                time=self.clock(),
                **of_token(customer.token) | acting,
            )
        )
