"""The gateway or resource server under test, as the checks see it."""

from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from tests.e2e.authorization_server import AuthorizationServer
from tests.e2e.evidence import Fields
from tests.e2e.minting import Minter
from tests.e2e.rules import Transport
from tests.e2e.target_file import OperationFile, TargetFile
from tests.e2e.transport import Call, Caller, McpCaller, RestCaller, arguments_of
from tests.e2e.verdict import NotRun
from tests.e2e.wire import Answer, Wire

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


class Backend(Protocol):
    """What stands behind a gateway and tells which headers reached it."""

    def take_headers(self) -> list[tuple[str, str]]:
        """Return the headers of the last request that arrived, names in lower case, and forget them."""
        ...


class Resource:
    """Calls of the resource's operations by one transport, with tokens right or wrong."""

    def __init__(
        self,
        file: TargetFile,
        wire: Wire,
        minter: Minter | None,
        authorization_server: AuthorizationServer | None,
        backend: Backend | None,
        transport: Transport = "REST",
    ) -> None:
        assert file.resource
        self.section = file.resource
        self.url = file.resource.url.rstrip("/")
        self.audience = file.resource.audience
        self.read = file.resource.read
        self.backend = backend
        self._file = file
        self.transport = transport
        self._caller = _caller(file, wire, transport)
        self._minter = minter
        self._authorization_server = authorization_server

    @property
    def metadata_url(self) -> str:
        """Return where the protected resource metadata is found (RFC 9728 §3)."""
        if self.section.metadata_url:
            return self.section.metadata_url
        parts = urlsplit(self.url)
        return parts._replace(path=f"{WELL_KNOWN}{parts.path.rstrip('/')}").geturl()

    def call(
        self,
        operation: OperationFile,
        token: str | None = None,
        *,
        headers: Fields = (),
        query: Fields = (),
        url: str | None = None,
        idempotency_key: str = "",
    ) -> Answer:
        """Call an operation with a bearer token, or with none."""
        return self._caller.call(self._made(operation, token, headers, query, url, idempotency_key))

    def call_with_both(
        self, first: OperationFile, second: OperationFile, token: str, *, idempotency_key: str = ""
    ) -> Answer:
        """Call a tool with a message that has two members `arguments`, of two calls of it.

        Raises:
            NotRun: this is not MCP.
        """
        if not isinstance(self._caller, McpCaller):
            raise NotRun("It takes the MCP endpoint: [resource.mcp].")
        both = [self._made(one, token, idempotency_key=idempotency_key) for one in (first, second)]
        return self._caller.send(both[0], [arguments_of(one) for one in both])

    def _made(
        self,
        operation: OperationFile,
        token: str | None,
        headers: Fields = (),
        query: Fields = (),
        url: str | None = None,
        idempotency_key: str = "",
    ) -> Call:
        fields = [("Authorization", f"Bearer {token}")] if token is not None else []
        return Call(operation, (url or self.url).rstrip("/"), [*fields, *headers], query, idempotency_key)

    def token(self, scope: str | None = None) -> str:
        """Return a good token for a scope, by default that of `read`: minted if possible, else exchanged."""
        wanted = self.read.scope if scope is None else scope
        if self._minter and self._file.minting and self._file.minting.access_tokens:
            return self.mint(scope=wanted)
        assert self._authorization_server
        return self._authorization_server.delegation_token(wanted or None)

    def mint(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Mint an access token like a good one for `read`, with changes; None leaves one out."""
        assert self._minter
        return self._minter.mint(self.claims(**changes), header)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, some of them changed; times and `jti` come when it is signed."""
        actor = self.actor
        default: dict[str, Any] = {
            "aud": self.audience,
            "sub": self.section.customer or "customer@example.com",
            "client_id": actor,
            "act": {"sub": actor},
            "scope": self.read.scope,
        }
        return default | changes

    @property
    def next_hop(self) -> str:
        """Return the audience that a token needs where the MCP endpoint passes its calls."""
        mcp = self.section.mcp
        return mcp.next_hop if mcp and mcp.next_hop else self.audience

    @property
    def actor(self) -> str:
        """Return the agent that the resource lets act."""
        if self.section.actor:
            return self.section.actor
        return self._file.clients["agent"].client_id if "agent" in self._file.clients else "agent"

    @property
    def issuer(self) -> str:
        """Return the issuer that the resource trusts."""
        if self._minter:
            return self._minter.issuer
        assert self._authorization_server
        return self._authorization_server.issuer


def _caller(file: TargetFile, wire: Wire, transport: Transport) -> Caller:
    if transport == "REST":
        return RestCaller(wire)
    assert file.resource
    assert file.resource.mcp
    return McpCaller(wire, file.resource.mcp)
