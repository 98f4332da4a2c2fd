"""Which answers each kind of endpoint gives, for its OpenAPI document."""

from typing import Any, Final

from delegation.problem import MEDIA_TYPE, SCHEMA

Responses = dict[int | str, dict[str, Any]]

_HTML: Final = {"content": {"text/html": {"schema": {"type": "string"}}}}
_OAUTH_ERROR: Final = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
            }
        }
    }
}


def problem(*statuses: int) -> Responses:
    """Return these statuses, each with a problem document (RFC 9457)."""
    return {
        status: {"description": "Problem", "content": {MEDIA_TYPE: {"schema": SCHEMA}}} for status in statuses
    }


PAGE: Final[Responses] = {
    200: {"description": "A page", **_HTML},
    303: {"description": "On to the next page, or back to the client"},
    **{status: {"description": "A page that says what is wrong", **_HTML} for status in (400, 403, 429, 503)},
}
OAUTH: Final[Responses] = {
    400: {"description": "Refused (RFC 6749 section 5.2)", **_OAUTH_ERROR},
    401: {"description": "Client authentication failed", **_OAUTH_ERROR},
    503: {"description": "Cannot decide now", **_OAUTH_ERROR},
}
PROTECTED: Final[Responses] = problem(400, 401, 403, 503) | {
    422: {"description": "A parameter is malformed", "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
}


def form(*required: str, **optional: str) -> dict[str, Any]:
    """Return an endpoint's form parameters for its OpenAPI document; `optional` maps name to description."""
    properties = {name: {"type": "string"} for name in required}
    properties |= {name: {"type": "string", "description": text} for name, text in optional.items()}
    schema = {"type": "object", "required": list(required), "properties": properties}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}
