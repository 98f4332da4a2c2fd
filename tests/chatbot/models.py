"""Models of the tests' own, over HTTP: the offline one with an ear at the door, and ones that misbehave."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.chatbot.parties import served


@dataclass
class Overheard:
    """Passes requests on to a model, and keeps every byte of them, headers too."""

    model: ASGIApp
    heard: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def listening() -> Message:
            message = await receive()
            self.heard.append(message.get("body", b""))
            return message

        self.heard += [part for header in scope.get("headers", ()) for part in header]
        await self.model(scope, listening, send)


Reply = dict[str, Any] | Response
"""A delta to stream, or a whole response in its place."""


@dataclass
class ScriptedModel:
    """Says what a test has written for it: `script` gets the request's body and returns the reply."""

    script: Callable[[dict[str, Any]], Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    authorization: str = ""

    async def answer(self, request: Request) -> Response:
        self.authorization = request.headers["authorization"]
        body = await request.json()
        self.requests.append(body)
        reply = self.script(body)
        if isinstance(reply, Response):
            return reply
        return StreamingResponse(_streamed(reply), media_type="text/event-stream")

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the model; gives what `OPENAI_BASE_URL` is to be."""
        with served(Route("/v1/chat/completions", self.answer, methods=["POST"])) as url:
            yield f"{url}/v1"


def says(text: str) -> dict[str, Any]:
    """A reply in words."""
    return {"content": text}


def calls(*wishes: tuple[str, str]) -> dict[str, Any]:
    """A reply that calls tools, each by name and arguments as written."""
    return {
        "tool_calls": [
            {
                "index": i,
                "id": f"id-{i}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for i, (name, arguments) in enumerate(wishes)
        ]
    }


def results(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool results in a request, the latest last."""
    return [json.loads(message["content"]) for message in body["messages"] if message["role"] == "tool"]


def refuses(status: int) -> Response:
    """A model server's own error, with something in it that must not be repeated."""
    return JSONResponse({"error": {"message": "Incorrect API key: sk-very-secret"}}, status)


def breaks_off() -> Response:
    """A stream that ends in the middle, without a finish reason."""

    async def stream() -> AsyncIterator[bytes]:
        yield _event({"content": "Your balance is"}, None)

    return StreamingResponse(stream(), media_type="text/event-stream")


def hangs() -> Response:
    """A stream that begins and never goes on."""

    async def stream() -> AsyncIterator[bytes]:
        yield _event({"content": "Let me"}, None)
        await asyncio.Event().wait()

    return StreamingResponse(stream(), media_type="text/event-stream")


def talks_too_long() -> Response:
    """A stream that is longer than any answer."""

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield _event({"content": "and so on, " * 50}, None)

    return StreamingResponse(stream(), media_type="text/event-stream")


def talks_nonsense(data: str) -> Response:
    """A stream that is not of this protocol."""
    return Response(f"data: {data}\n\n", media_type="text/event-stream")


async def _streamed(delta: dict[str, Any]) -> AsyncIterator[bytes]:
    yield _event(delta, None)
    yield _event({}, "tool_calls" if "tool_calls" in delta else "stop")
    yield b"data: [DONE]\n\n"


def _event(delta: dict[str, Any], finish_reason: str | None) -> bytes:
    chunk = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "stand-in",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
