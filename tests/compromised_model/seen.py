"""What one question has left behind, anywhere."""

import json
from dataclasses import dataclass
from typing import Any

from tests.chatbot.asking import Answer
from tests.compromised_model.ledger import Snapshot
from tests.compromised_model.people import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that one question has left behind, anywhere.

    `prompts` are the requests to the model, with their headers; `records` those of all four services, in the
    form of JSON; `secrets` the tokens and keys that were at hand.
    """

    person: Person
    before: Snapshot
    after: Snapshot
    records: list[dict[str, Any]]
    prompts: list[dict[str, Any]]
    prompt_headers: list[str]
    answer: Answer
    secrets: list[str]

    def of(self, service: str, decision: str | None = None) -> list[dict[str, Any]]:
        """Return a service's records, oldest first."""
        mine = [one for one in self.records if one["service"] == service]
        return [one for one in mine if decision in (None, one["decision"])]

    def results(self) -> list[dict[str, Any]]:
        """Return what the tools have answered to the model, in order."""
        whole = self.prompts[-1]["messages"]
        return [json.loads(message["content"]) for message in whole if message["role"] == "tool"]
