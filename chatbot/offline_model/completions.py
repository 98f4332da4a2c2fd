"""The answers of the Chat Completions protocol: one object, or a stream of chunks."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final

from chatbot.offline_model.knowledge import ToolCall

MODEL: Final = "offline"
Message = str | Sequence[ToolCall]
"""Words for the customer, or tools to call."""

_PIECES: Final = re.compile(r"(?:\S+\s*){1,3}")


def completion(message: Message, position: int) -> dict[str, Any]:
    """Return the whole answer; `position` is the message's place in the conversation, for its ids."""
    if isinstance(message, str):
        content: dict[str, Any] = {"role": "assistant", "content": message}
    else:
        calls = [_tool_call(call, position, index) for index, call in enumerate(message)]
        content = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": content, "finish_reason": _finish_reason(message)}
    return _envelope("chat.completion", position, choice)


async def chunks(message: Message, position: int) -> AsyncIterator[bytes]:
    """Stream the answer as server-sent events: a few words each, tool calls in two pieces each."""
    for delta in ({"role": "assistant", "content": ""}, *_deltas(message, position)):
        yield _event(_chunk(position, delta, None))
    yield _event(_chunk(position, {}, _finish_reason(message)))
    yield b"data: [DONE]\n\n"


def _deltas(message: Message, position: int) -> Iterator[dict[str, Any]]:
    if isinstance(message, str):
        for piece in _PIECES.findall(message):
            yield {"content": piece}
        return
    for index, call in enumerate(message):
        whole = _tool_call(call, position, index)
        arguments = whole["function"]["arguments"]
        whole["function"]["arguments"] = ""
        yield {"tool_calls": [{"index": index, **whole}]}
        yield {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


def _tool_call(call: ToolCall, position: int, index: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": f"call_{position}_{index}", "type": "function", "function": function}


def _finish_reason(message: Message) -> str:
    return "stop" if isinstance(message, str) else "tool_calls"


def _chunk(position: int, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _envelope("chat.completion.chunk", position, choice)


def _envelope(kind: str, position: int, choice: dict[str, Any]) -> dict[str, Any]:
    # The protocol wants a time of creation. This model has no clock, and gives the same answer at any time.
    return {"id": f"offline-{position}", "object": kind, "created": 0, "model": MODEL, "choices": [choice]}


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
