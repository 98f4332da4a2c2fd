"""Protected resource metadata: which authorization server issues tokens for this resource (RFC 9728 §2)."""

from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from account_api.access import Requirement
from account_api.settings import Settings


def resource_metadata(settings: Settings, routes: list[BaseRoute]) -> dict[str, Any]:
    """Return the metadata document; its scopes are those that the routes need."""
    requirements = [
        Requirement.from_openapi(route.openapi_extra or {}) for route in routes if isinstance(route, APIRoute)
    ]
    return {
        "resource": settings.audience,
        "resource_name": "Account API",
        "authorization_servers": [settings.issuer],
        "scopes_supported": sorted({scope for needed in requirements for scope in needed.scope}),
        "bearer_methods_supported": ["header"],
    }
