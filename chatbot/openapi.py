"""What the OpenAPI document says beyond what FastAPI reads from the routes."""

from typing import Any, Final

from chatbot.events import Done, Failed, Step, Text
from delegation.problem import MEDIA_TYPE, SCHEMA


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}


_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: _problem("Two tokens, or one in the query (RFC 6750 §3.1)"),
    401: _problem("No subject token, or one that is not good for this agent; see `WWW-Authenticate`"),
    503: _problem("The issuer's keys cannot be had, so no token can be verified"),
}
_EVENTS: Final = {
    "description": "Server-sent events: any number of `step`, `text` and `error`, and one `done` at the end",
    "content": {
        "text/event-stream": {
            "itemSchema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "event": {"type": "string", "enum": [event.name for event in (Step, Text, Failed, Done)]},
                    "data": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": {
                            "anyOf": [event.model_json_schema() for event in (Step, Text, Failed, Done)]
                        },
                    },
                },
            }
        }
    },
}
_QUESTION: Final = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {"message": {"type": "string", "minLength": 1, "maxLength": 2000}},
}

CHAT: Final[dict[str, Any]] = {
    "responses": {
        200: _EVENTS,
        **_REFUSALS,
        413: _problem("The body is too long"),
        422: _problem("The body is not a question"),
    },
    "openapi_extra": {
        "requestBody": {"required": True, "content": {"application/json": {"schema": _QUESTION}}},
    },
}
FORGET: Final[dict[str, Any]] = {"responses": _REFUSALS}
