"""What the chatbot needs of others before it can do its work."""

from typing import Final

import httpx2

from chatbot.settings import Settings
from delegation.health import Check, NotReady
from delegation.jwks import RemoteKeySet

_TIMEOUT_SECONDS: Final = 2.0


def readiness_checks(settings: Settings, keys: RemoteKeySet, http: httpx2.AsyncClient) -> dict[str, Check]:
    """Return the checks by what they are about. The model is left out: asking it may cost money."""

    async def keys_ready() -> None:
        if not await keys.ready():
            raise NotReady(f"The issuer's keys cannot be had from {settings.jwks_uri}. Check JWKS_URI.")

    async def token_endpoint_reachable() -> None:
        if not await _answers(http, settings.token_endpoint):
            raise NotReady(f"{settings.token_endpoint} does not answer. Check TOKEN_ENDPOINT.")

    async def gateway_reachable() -> None:
        if settings.tools == "mcp":
            if not await _answers(http, settings.mcp_url):
                raise NotReady(f"{settings.mcp_url} does not answer. Check MCP_URL.")
        elif not await _answers(http, f"{settings.gateway_url.rstrip('/')}/healthz"):
            raise NotReady(f"{settings.gateway_url} does not answer. Check GATEWAY_URL.")

    return {"keys": keys_ready, "token_endpoint": token_endpoint_reachable, "gateway": gateway_reachable}


async def _answers(http: httpx2.AsyncClient, url: str) -> bool:
    """Tell whether there is an HTTP server that is well: 401, 404 or 405 are answers too."""
    try:
        response = await http.get(url, timeout=_TIMEOUT_SECONDS)
    except httpx2.HTTPError:
        return False
    return response.status_code < httpx2.codes.INTERNAL_SERVER_ERROR
