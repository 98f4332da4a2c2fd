"""What the gateway tells everybody: where tokens come from, which operations there are, and its own key."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from delegation.signing_key import SigningKey, jwk_set
from gateway.authzen import WELL_KNOWN as AUTHZEN
from gateway.authzen import configuration as authzen_configuration
from gateway.mcp_listing import PATH as MCP
from gateway.metadata import WELL_KNOWN, resource_metadata
from gateway.openapi import openapi
from gateway.policy_file import PolicyFile
from gateway.settings import Settings


def published_routes(policy: PolicyFile, settings: Settings, key: SigningKey) -> list[Route]:
    """Return the routes of the documents; some are made from the policy in force."""

    async def metadata(request: Request) -> Response:
        # Before the path of a resource stands the well-known part (RFC 9728 §3.1).
        path = request.url.path.removeprefix(WELL_KNOWN)
        document = resource_metadata(policy.current(), settings.issuer, settings.resource_metadata_url, path)
        return JSONResponse(document)

    async def description(_request: Request) -> Response:
        address = settings.resource_metadata_url.removesuffix(WELL_KNOWN)
        return JSONResponse(openapi(policy.current(), address))

    async def jwks(_request: Request) -> Response:
        return JSONResponse(jwk_set(key))

    async def authzen(_request: Request) -> Response:
        return JSONResponse(authzen_configuration(settings.resource_metadata_url.removesuffix(WELL_KNOWN)))

    return [
        Route(WELL_KNOWN, metadata),
        Route(WELL_KNOWN + MCP, metadata),
        Route("/openapi.json", description),
        Route("/jwks.json", jwks),
        Route(AUTHZEN, authzen),
    ]
