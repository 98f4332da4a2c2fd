"""The gateway or resource server under test, as the checks see it."""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from tests.e2e.authorization_server import AuthorizationServer
from tests.e2e.evidence import Fields
from tests.e2e.minting import Minter
from tests.e2e.target_file import OperationFile, TargetFile
from tests.e2e.wire import Answer, Wire

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


class Backend(Protocol):
    """What stands behind a gateway and tells which headers reached it."""

    def take_headers(self) -> list[tuple[str, str]]:
        """Return the headers of the last request that arrived, names in lower case, and forget them."""
        ...


class Resource:
    """Calls of the resource's operations, with tokens right or wrong."""

    def __init__(
        self,
        file: TargetFile,
        wire: Wire,
        minter: Minter | None,
        authorization_server: AuthorizationServer | None,
        backend: Backend | None,
    ) -> None:
        assert file.resource
        self.section = file.resource
        self.url = file.resource.url.rstrip("/")
        self.audience = file.resource.audience
        self.read = file.resource.read
        self.backend = backend
        self._file = file
        self._wire = wire
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
        path: str | None = None,
        headers: Fields = (),
        url: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Call an operation with a bearer token, or with none."""
        fields = [("Authorization", f"Bearer {token}")] if token is not None else []
        content = json.dumps(body or operation.body).encode() if body or operation.body else None
        if content:
            fields.append(("Content-Type", "application/json"))
        address = f"{(url or self.url).rstrip('/')}{path or operation.path}"
        return self._wire.send(operation.method, address, [*fields, *headers], content)

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
