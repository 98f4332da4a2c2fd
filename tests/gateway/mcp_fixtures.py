"""A gateway before a real MCP server, and HTTP calls of its MCP endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.mcp_resource import MODERN, McpResource, definitions, headers_of, mcp_policy, tools_server
from tests.issuer import TestIssuer
from tests.serving import serve


@dataclass
class McpGateway:
    """One gateway before one MCP server: `resource` has what reached the server."""

    url: str
    resource: McpResource
    issuer: TestIssuer
    settings: Settings

    def token(self, scope: str = "thing:read", **claims: Any) -> str:
        """A delegation token."""
        return self.issuer.delegation_token(scope, **claims)

    def post(
        self, body: dict[str, Any], *, scope: str = "thing:read", version: str = MODERN, **headers: str | None
    ) -> httpx2.Response:
        """Send a message with the header fields that belong to it; one that is given as None is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = headers_of(body, version=version) | {"authorization": f"Bearer {self.token(scope)}"} | named
        told = {name: value for name, value in fields.items() if value is not None}
        return self._answered(json=body, headers=told)

    def send(self, content: bytes, **headers: str) -> httpx2.Response:
        """Send bytes as a message of the older revision."""
        fields = {
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {self.token()}",
            "content-type": "application/json",
            "mcp-protocol-version": "2025-11-25",
        }
        told = fields | {name.replace("_", "-"): value for name, value in headers.items()}
        return self._answered(content=content, headers=told)

    def _answered(self, **request: Any) -> httpx2.Response:
        answer = httpx2.post(f"{self.url}/mcp", **request)
        # A record is printed in the event loop's next turn: past one more answer it is there.
        httpx2.get(f"{self.url}/healthz")
        return answer


@pytest.fixture(scope="session")
def served_tools() -> Iterator[tuple[McpResource, str]]:
    resource = McpResource.of(tools_server())
    with serve(resource) as url:
        yield resource, url


@pytest.fixture(scope="session")
def served_mcp(
    issuer: TestIssuer, served_tools: tuple[McpResource, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[McpGateway]:
    folder = tmp_path_factory.mktemp("mcp")
    policy = folder / "policy.yaml"
    pins = definitions(tools_server())
    policy.write_text(mcp_policy(pins))
    settings = Settings(
        jwks_uri=issuer.jwks_uri, upstream_url=served_tools[1], data_dir=folder, policy_file=policy
    )
    with serve(create_app(settings)) as url:
        yield McpGateway(url, served_tools[0], issuer, settings)


@pytest.fixture
def mcp(served_mcp: McpGateway) -> McpGateway:
    """The gateway before the MCP server, whose tools it knows already, with nothing recorded yet."""
    served_mcp.resource.reset()  # or the gateway would learn what the last test's handler lists
    tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert served_mcp.post(tools, version="2025-11-25").status_code == 200
    served_mcp.resource.reset()
    return served_mcp
