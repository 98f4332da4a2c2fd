"""A customer at the chatbot's door: asks over HTTP and reads the events."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What was streamed in answer to one question."""

    events: list[Event] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == kind]

    @property
    def text(self) -> str:
        return "".join(text["delta"] for text in self.of("text"))

    def steps(self, number: int) -> list[dict[str, Any]]:
        return [step for step in self.of("step") if step["step"] == number]

    @property
    def error(self) -> dict[str, Any]:
        [error] = self.of("error")
        return error


def ask(http: httpx2.Client, token: str, message: str, traceparent: str | None = None) -> Answer:
    """Ask one question and read the answer to its end. The client's base address is the chatbot's."""
    headers = {"Authorization": f"Bearer {token}"} | ({"traceparent": traceparent} if traceparent else {})
    with http.stream("POST", "/chat", json={"message": message}, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        events = [(event.event, json.loads(event.data)) for event in httpx2.EventSource(response)]
    assert events[-1][0] == "done", "the last event is always done"
    return Answer(events)


def records_in(output: str) -> list[dict[str, Any]]:
    """The records among the lines that the service has printed."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
