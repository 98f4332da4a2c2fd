"""What a Chat Completions request says: today's date, the tools there are, and the conversation by turns."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

_TODAY: Final = re.compile(r"\bToday is (\d{4}-\d{2}-\d{2})\b")


class BadRequest(Exception):
    """The request cannot be answered; the text says what it must have."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned for these arguments."""

    name: str
    arguments: Mapping[str, Any]
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the customer said, and what the tools have returned since."""

    question: str
    results: list[ToolResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Transcript:
    """The whole conversation so far; the last turn is the one to answer."""

    today: date
    tools: frozenset[str]
    turns: Sequence[Turn]


def read_transcript(request: Mapping[str, Any]) -> Transcript:
    """Read the body of a Chat Completions request.

    Raises:
        BadRequest: it is malformed, gives no date in the system prompt, or has no question of a user.
    """
    try:
        messages = request["messages"]
        offered = request.get("tools") or [] if request.get("tool_choice") != "none" else []
        tools = frozenset(str(tool["function"]["name"]) for tool in offered)
        transcript = Transcript(_today(messages), tools, _turns(messages))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRequest("the request is malformed") from error
    if not transcript.turns:
        raise BadRequest("messages must have one of role user")
    return transcript


def _today(messages: Sequence[Mapping[str, Any]]) -> date:
    for message in messages:
        match = _TODAY.search(_text(message)) if message.get("role") in {"system", "developer"} else None
        if match:
            return date.fromisoformat(match[1])
    raise BadRequest('the system prompt must give the date, as in "Today is 2026-03-17"')


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[Turn]:
    turns: list[Turn] = []
    calls: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for message in messages:
        role = message.get("role")
        if role == "user":
            turns.append(Turn(_text(message)))
        elif role == "assistant":
            for call in message.get("tool_calls") or []:
                function = call["function"]
                calls[call["id"]] = (function["name"], _json_object(function["arguments"]))
        elif role == "tool" and turns and message.get("tool_call_id") in calls:
            name, arguments = calls[message["tool_call_id"]]
            turns[-1].results.append(ToolResult(name, arguments, _json_object(_text(message))))
    return turns


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _json_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
