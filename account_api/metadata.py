"""Protected resource metadata: which authorization server issues tokens for this resource (RFC 9728 §2)."""

from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from account_api.access import Requirement
from account_api.settings import Settings
from delegation.authorization_details import AccountTransfer

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


def resource_metadata(settings: Settings, routes: list[BaseRoute]) -> dict[str, Any]:
    """Return the metadata document; its scopes are those that the routes need.

    `resource` is the address that the document's own belongs to, as §3.3 demands. A token's audience is
    the name that the authorization server has for the resource.
    """
    requirements = [
        Requirement.from_openapi(route.openapi_extra or {}) for route in routes if isinstance(route, APIRoute)
    ]
    return {
        "resource": settings.resource_metadata_url.removesuffix(WELL_KNOWN),
        "resource_name": "Account API",
        "authorization_servers": [settings.issuer],
        "scopes_supported": sorted({scope for needed in requirements for scope in needed.scope}),
        "bearer_methods_supported": ["header"],
        "authorization_details_types_supported": [AccountTransfer.TYPE],
    }
