"""The offline model as an HTTP interface: `POST /v1/chat/completions`, answered whole or streamed."""

import json
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chatbot.offline_model.completions import chunks, completion
from chatbot.offline_model.dialogue import next_message
from chatbot.offline_model.transcript import BadRequest, read_transcript

BASE_URL: Final = "http://offline-model/v1"
"""Its address for a client whose transport is this very application: no network is involved."""


def create_offline_model() -> Starlette:
    """Return the model as an ASGI application."""
    return Starlette(routes=[Route("/v1/chat/completions", _answer, methods=["POST"])])


async def _answer(request: Request) -> Response:
    try:
        body = _object(await request.body())
        message = next_message(read_transcript(body))
    except BadRequest as error:
        return JSONResponse({"error": {"message": str(error), "type": "invalid_request_error"}}, 400)
    position = len(body["messages"])
    if body.get("stream"):
        return StreamingResponse(chunks(message, position), media_type="text/event-stream")
    return JSONResponse(completion(message, position))


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise BadRequest("the body must be JSON") from error
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value
