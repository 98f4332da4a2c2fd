"""Which answers each kind of endpoint gives, for its OpenAPI document."""

from collections.abc import Mapping
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
    **problem(413),
}
OAUTH: Final[Responses] = {
    400: {"description": "Refused (RFC 6749 section 5.2)", **_OAUTH_ERROR},
    401: {"description": "Client authentication failed", **_OAUTH_ERROR},
    503: {"description": "Cannot decide now", **_OAUTH_ERROR},
    **problem(413),
}
PROTECTED: Final[Responses] = problem(400, 401, 403, 413, 503)
ADMINISTERED: Final[Responses] = problem(400, 401, 403, 413, 422, 503)

_AUTHORIZATION_REQUEST: Final = {
    "response_type": "code",
    "client_id": "banking-app",
    "redirect_uri": "http://localhost:8501/callback",
    "scope": "openid profile account:read_balance",
    "state": "af0ifjsldkj",
    "nonce": "n-0S6_WzA2Mj",
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
    "resource": "https://bank-agent.example.com",
}
"""An example of each parameter."""

_LOGOUT_REQUEST: Final = {
    "id_token_hint": "the ID token of the session to end",
    "client_id": "banking-app",
    "post_logout_redirect_uri": "http://localhost:8501/",
    "state": "af0ifjsldkj",
}


def form(*required: str, **optional: str) -> dict[str, Any]:
    """Return an endpoint's form parameters for its OpenAPI document; `optional` maps name to description."""
    properties = {name: {"type": "string"} for name in required}
    properties |= {name: {"type": "string", "description": text} for name, text in optional.items()}
    schema = {"type": "object", "required": list(required), "properties": properties}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _query(examples: Mapping[str, str]) -> dict[str, Any]:
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}, "example": example}
            for name, example in examples.items()
        ]
    }


AUTHORIZATION_REQUEST: Final = _query(_AUTHORIZATION_REQUEST)
AUTHORIZATION_FORM: Final = form(**_AUTHORIZATION_REQUEST)
LOGOUT_REQUEST: Final = _query(_LOGOUT_REQUEST)
LOGOUT_FORM: Final = form(**_LOGOUT_REQUEST, csrf="of our own question")
