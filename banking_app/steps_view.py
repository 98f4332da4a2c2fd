"""What happened under the hood of one question: six numbered steps, grouped by the assistant's tool calls."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from banking_app.chat_events import Step
from banking_app.claims_view import ClaimTable, claim_table
from banking_app.conversations import Turn
from banking_app.parties import FLOW, flow_step, party

State = Literal["permit", "deny", "failed", "done", "spared", "waiting"]

_TOKEN_OF_STEP: Final = {
    1: "ID token",
    2: "Subject token",
    3: "Subject token",
    4: "Delegation token",
    5: "Delegation token",
    6: "Delegation token",
}


_SPARED: Final = (
    "Nothing was sent. The assistant still holds a delegation token for this one permission, from a question "
    "shortly before, and uses it again until it expires."
)
"""What step 3 says of an exchange that did not have to happen."""


@dataclass(frozen=True, slots=True)
class RecordView:
    """A service's own record: who wrote it, what it says, and all of it as JSON."""

    service: str
    lines: tuple[tuple[str, str], ...]
    raw: str


@dataclass(frozen=True, slots=True)
class StepCard:
    """One step as it is shown."""

    number: int
    title: str
    says: str
    source: str
    target: str
    state: State
    verdict: str
    reason: str
    facts_title: str
    facts: tuple[tuple[str, str], ...]
    tokens: tuple[ClaimTable, ...]
    records: tuple[RecordView, ...]
    lacking: str
    hint: str
    raw: str


@dataclass(frozen=True, slots=True)
class CallGroup:
    """The steps of one tool call; the sign-on and the question itself stand in the group without a title."""

    title: str
    steps: tuple[StepCard, ...]


@dataclass(frozen=True, slots=True)
class StripItem:
    """One of the six steps in the strip that sums a question up."""

    number: int
    short: str
    state: State


@dataclass(frozen=True, slots=True)
class Hood:
    """Everything under the hood of one question."""

    trace_id: str
    strip: tuple[StripItem, ...]
    groups: tuple[CallGroup, ...]
    calls: int


def hood(turn: Turn) -> Hood:
    """Return what is to be shown of a turn, finished or still under way."""
    cards = [_sign_on_card(turn), *(_card(step, turn) for step in turn.steps)]
    calls = [0, *(step.call for step in turn.steps)]
    groups = tuple(
        CallGroup(
            _call_title(call, turn.steps),
            tuple(card for card, of_call in zip(cards, calls, strict=True) if of_call == call),
        )
        for call in sorted(set(calls))
    )
    # Without any step of the chatbot's, the question did not get further than to be handed over.
    stopped_at = 2 if turn.trouble and not turn.steps else None
    strip = tuple(
        StripItem(step.number, step.short, "deny" if step.number == stopped_at else _sum(cards, step.number))
        for step in FLOW
    )
    return Hood(turn.trace_id, strip, groups, len(set(calls) - {0}))


def hints(turn: Turn) -> tuple[str, ...]:
    """Return what the trainer should know about tool calls that failed or were refused, each thing once.

    A refusal that the assistant got over, with another token, ends no call and needs no hint.
    """
    last_of_call = {step.call: step for step in turn.steps}
    return tuple(dict.fromkeys(step.hint for step in last_of_call.values() if step.hint))


def _sum(cards: Iterable[StepCard], number: int) -> State:
    states = {card.state for card in cards if card.number == number}
    order: tuple[State, ...] = ("deny", "failed", "permit", "done", "spared")
    return next((state for state in order if state in states), "waiting")


def _call_title(call: int, steps: Iterable[Step]) -> str:
    if call == 0:
        return ""
    operation = next((step.operation for step in steps if step.call == call and step.operation), None)
    return f"Tool call {call}" + (f": {operation}" if operation else "")


def _sign_on_card(turn: Turn) -> StepCard:
    flow = flow_step(1)
    return StepCard(
        number=1,
        title=flow.title,
        says=flow.says,
        source=party(flow.source),
        target=party(flow.target),
        state="permit",
        verdict="Signed on",
        reason="",
        facts_title="",
        facts=(),
        tokens=(claim_table(_TOKEN_OF_STEP[1], turn.sign_on, turn.asked_at),),
        records=(),
        lacking="",
        hint="",
        raw=_json(turn.sign_on),
    )


def _card(step: Step, turn: Turn) -> StepCard:
    flow = flow_step(step.step)
    spared = step.step == 3 and step.reused
    return StepCard(
        number=step.step,
        title=flow.title,
        says=_SPARED if spared else flow.says,
        source=party(step.source),
        target=party(step.target),
        state=step.decision or ("failed" if step.failed else "spared" if spared else "done"),
        verdict=_verdict(step),
        reason=step.reason or "",
        facts_title="What came back" if step.step == 6 else "What was asked",
        facts=() if spared else _facts(step),
        tokens=() if spared else tuple(_tokens(step)),
        records=tuple(_record_view(record) for record in records_of(step, turn)),
        lacking=_lacking(step, turn),
        hint=flow.if_refused if step.decision == "deny" else "",
        raw=_json(step.model_dump(mode="json", by_alias=True, exclude_none=True)),
    )


def _verdict(step: Step) -> str:
    if step.step == 4 and step.decision == "permit":
        return "Reused" if step.reused else "Issued"
    asked = "Not needed" if step.reused else "Sent"
    undecided = "No answer" if step.failed else asked if step.step == 3 else "No decision"
    return {"permit": "Permitted", "deny": "Refused", None: undecided}[step.decision]


def _facts(step: Step) -> tuple[tuple[str, str], ...]:
    request = {name: value for name, value in (step.request or {}).items() if name != "actor_token"}
    named = {"operation": step.operation} if step.operation and step.step == 5 else {}
    return tuple((name, _text(value)) for name, value in (named | request).items())


def _tokens(step: Step) -> Iterable[ClaimTable]:
    if step.token:
        yield claim_table(_TOKEN_OF_STEP[step.step], step.token, step.at)
    actor_token = (step.request or {}).get("actor_token")
    if isinstance(actor_token, dict):
        yield claim_table("Actor token, the assistant's own", actor_token, step.at, of_actor=True)


def records_of(step: Step, turn: Turn) -> list[dict[str, Any]]:
    """Return the records that belong to this step: by decision id, by the token's number, else by order.

    The authorization server writes its one record of an exchange at step 3 or 4; it is shown at step 4.
    """
    if step.step == 6:
        return [record for record in turn.records if record.get("decision_id") == step.record_id]
    if step.step != 4 or step.reused:
        return []
    of_exchange = [
        record
        for record in turn.records
        if record.get("service") == "auth_server" and record.get("step") in {3, 4}
    ]
    jti = (step.token or {}).get("jti")
    by_number = [record for record in of_exchange if jti and record.get("jti") == jti]
    if by_number or step.decision == "permit":
        return by_number
    refused = [record for record in of_exchange if record.get("decision") == "deny"]
    refusals = [other for other in turn.steps if other.step == 4 and other.decision == "deny"]
    return refused[refusals.index(step) :][:1]


def _lacking(step: Step, turn: Turn) -> str:
    service = {4: "auth_server", 6: "account_api"}.get(step.step)
    if service in turn.records_lacking:
        return f"The record of the {party(service)} cannot be shown right now." if service else ""
    if step.step == 4 and step.reused:
        return "This token was issued for an earlier question and is still good: its record stands there."
    return ""


def _record_view(record: dict[str, Any]) -> RecordView:
    shown = ("decision", "reason", "sub", "act", "operation", "resource", "decision_id", "time")
    lines = tuple((name, _text(record[name])) for name in shown if record.get(name))
    return RecordView(party(str(record.get("service", ""))), lines, _json(record))


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ← ".join(value)
    return json.dumps(value, ensure_ascii=False)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
