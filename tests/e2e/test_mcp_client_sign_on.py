"""The official MCP client for Python finds the way from a 401 to the authorization server."""

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from mcp.shared.exceptions import MCPError

from tests.e2e.in_process import InProcess

CALLBACK = "http://localhost:8501/callback"


class Storage:
    """A client that is registered already and has no token yet."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    async def get_tokens(self) -> OAuthToken | None:
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        raise AssertionError("nobody signed on")

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        known = {"client_id": "banking-app", "redirect_uris": [CALLBACK], "issuer": self.issuer}
        return OAuthClientInformationFull.model_validate(known)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise AssertionError("the client is registered already")


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_a_client_without_a_token_is_led_to_the_authorization_server(
    mode: str, bank: InProcess
) -> None:
    visited: list[str] = []

    async def redirect(url: str) -> None:
        visited.append(url)

    async def nobody_comes_back() -> AuthorizationCodeResult:
        raise OAuthFlowError

    issuer, endpoint = bank.environment["AUTH_SERVER_URL"], f"{bank.environment['GATEWAY_URL']}/mcp"
    metadata = OAuthClientMetadata.model_validate({"redirect_uris": [CALLBACK]})
    provider = OAuthClientProvider(endpoint, metadata, Storage(issuer), redirect, nobody_comes_back)
    async with httpx2.AsyncClient(auth=provider) as http:
        with pytest.raises((OAuthFlowError, ExceptionGroup, MCPError)):
            async with Client(streamable_http_client(endpoint, http_client=http), mode=mode) as client:
                await client.list_tools()
    [address] = visited
    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{issuer}/authorize?")
    assert asked["resource"] == [endpoint]
    assert "account:read_balance" in asked["scope"][0].split()
    assert asked["code_challenge_method"] == ["S256"]
