"""What the OpenAPI document says beyond the routes: the refusals, and how a token is presented."""

from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from account_api.access import SECURITY_SCHEME
from delegation.problem import MEDIA_TYPE, SCHEMA

_RECORD_ID: Final = {
    "Record-Id": {"description": "Id of this decision's record.", "schema": {"type": "string"}},
}
_DESCRIPTIONS: Final = {
    400: "Two tokens, a token in the address, no Idempotency-Key, or a body that cannot be read",
    401: "No token, or not a valid one for this resource",
    403: "The token does not suffice: a scope is missing, the client may not call this, or the limit is less",
    404: "No such account, or another customer's",
    413: "The body is too large",
    422: "The request or the order cannot be carried out as it stands",
    431: "The header fields are too large",
    500: "A fault of the service",
    503: "The database or the issuer's keys cannot be used at the moment",
}
_ANYWHERE: Final = (400, 401, 403, 431, 500, 503)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of the refusals that every route has, and of those with these statuses."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "headers": _RECORD_ID,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*_ANYWHERE, *statuses})
    }


class AccountApi(FastAPI):
    """The application, with its OpenAPI document completed by what no single route can say.

    Every request goes to `front`, and from there to `framework` what needs more of FastAPI than its routes.
    """

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        scope["app"] = self
        await self.front(scope, receive, send)

    async def framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection as FastAPI does."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = SCHEMA
        components["securitySchemes"] = {
            SECURITY_SCHEME: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A delegation token, or the banking app's own token (RFC 9068, RFC 6750).",
            }
        }
        return document
