"""Authlib's authorization server, fitted to FastAPI, to our clients and to our records."""

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer as AuthlibServer
from authlib.oauth2.rfc6749 import InvalidRequestError, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.errors import UnsupportedResponseTypeError
from authlib.oauth2.rfc6749.grants import BaseGrant
from sqlalchemy import Engine
from starlette.responses import Response

from auth_server.audit import entry, record, transaction
from auth_server.clients import Agent, Client, Receiver
from auth_server.oauth_errors import InvalidAuthorizationDetails
from auth_server.oauth_request import ServerRequest
from auth_server.private_key_jwt import PrivateKeyJwt
from auth_server.registered_agents import find_agent, hold_active
from auth_server.scopes import SUPPORTED
from auth_server.settings import Settings
from auth_server.tokens import TokenIssuer
from delegation.in_thread import in_thread
from delegation.record import Decision, of_token
from delegation.scope import Scope
from delegation.token_exchange import GRANT_TYPE as TOKEN_EXCHANGE

NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}

# Authlib logs each token that it issues, for debugging.
logging.getLogger("authlib").setLevel(logging.INFO)

_SEND_CODE: Final = "send response_type=code"
_STEPS: Final = {
    "authorization_code": (1, "token.authorization_code"),
    "refresh_token": (1, "token.refresh"),
    "client_credentials": (3, "token.actor"),
    TOKEN_EXCHANGE: (4, "token.exchange"),
}
"""Each grant's step in the documented flow, and the operation that its record names."""


@dataclass
class ServerResponse:
    """Status, body and headers of an answer; `location` is where a redirect leads."""

    status: int
    body: Mapping[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str | None:
        """Return where the answer redirects to."""
        return self.headers.get("Location")

    @location.setter
    def location(self, value: str) -> None:
        self.headers["Location"] = value

    def as_http(self) -> Response:
        """Return the answer as HTTP; never kept by a cache (RFC 6749 §5.1)."""
        headers = self.headers | NO_STORE
        if isinstance(self.body, str):
            return Response(self.body, self.status, headers)
        content = json.dumps(self.body, separators=(",", ":"))
        return Response(content, self.status, headers | {"Content-Type": "application/json"})


def reason(error: OAuth2Error) -> str:
    """Return what a record says of an error.

    It is the class's or our own description: Authlib's `get_error_description` may quote the request.
    """
    return f"{error.error}: {error.description}" if error.description else str(error.error)


class AuthorizationServer(AuthlibServer):
    """The grants and endpoints of this server; which they are is said in `app.py`."""

    def __init__(
        self,
        settings: Settings,
        clients: Mapping[str, Client],
        tokens: TokenIssuer,
        client_authentication: PrivateKeyJwt,
        engine: Engine,
    ) -> None:
        super().__init__(scopes_supported=SUPPORTED)
        self.settings = settings
        self.clients = clients
        self.tokens = tokens
        self.client_authentication = client_authentication
        self._engine = engine

    def query_client(self, client_id: str) -> Client | None:
        """Return the client that signs customers on, or None: Authlib asks where browsers come by.

        Agents have no business there; where they have, the registry is asked.
        """
        return self.clients.get(client_id)

    def authenticate_client(
        self, request: OAuth2Request, methods: Collection[str], endpoint: str = "token"
    ) -> Client:
        """Return the client that made the request; the one method is `private_key_jwt`.

        Raises:
            InvalidClient: it did not authenticate, or wrongly, or is an agent that is not active
                (RFC 6749 §5.2).
        """
        client = request.client = self.client_authentication(self.find_client, request)
        if isinstance(client, Agent):
            request.client = client = hold_active(request.db, client)
        return client

    async def find_client(self, client_id: str) -> Client | None:
        """Return the client, read apart from the request's transaction: its keys may have to be fetched."""
        return self.clients.get(client_id) or await in_thread(self._find_agent, client_id)

    def _find_agent(self, client_id: str) -> Agent | None:
        with transaction(self._engine) as db:
            return find_agent(db, client_id)

    def get_authorization_grant(self, request: ServerRequest) -> BaseGrant:
        """Return the grant that an authorization request is for (RFC 6749 §3.1.1).

        Raises:
            InvalidRequestError: it names no `response_type`.
            UnsupportedResponseTypeError: it names another than `code`.
        """
        try:
            return super().get_authorization_grant(request)
        except UnsupportedResponseTypeError as error:
            # Authlib mixes up the two texts of this error.
            error.response_type, error.description = request.payload.response_type, _SEND_CODE
            if error.response_type:
                raise
            raise InvalidRequestError(_SEND_CODE, redirect_uri=error.redirect_uri) from error

    def create_oauth2_request(self, request: ServerRequest) -> ServerRequest:
        """Return the request: our routes make it in Authlib's form at once."""
        return request

    def handle_response(self, status: int, body: Any, headers: Collection[tuple[str, str]]) -> ServerResponse:
        """Return Authlib's answer as a value; of its headers only where it leads to counts."""
        return ServerResponse(status, body, {name: value for name, value in headers if name == "Location"})

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Do nothing: nobody here listens to Authlib's signals."""

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        """Do nothing: a token is kept where it is issued (`TokenIssuer.issue`)."""

    def create_token_response(self, request: ServerRequest) -> ServerResponse:
        """Answer a token request, and record the decision: step 1 for the app's tokens, 4 for the agent's."""
        try:
            grant = self.get_token_grant(request)
            grant.validate_token_request()
            if "authorization_details" in request.form:
                raise InvalidAuthorizationDetails
            response = self.handle_response(*grant.create_token_response())
        except OAuth2Error as error:
            if isinstance(error, UnsupportedGrantTypeError):
                error.description = "send a grant_type that the metadata names"
            self._record(request, "deny", reason(error))
            return self.handle_response(*error())
        self._record(request, "permit", "every rule of the grant holds")
        return response

    def answer(self, endpoint: str, request: ServerRequest) -> ServerResponse:
        """Answer a request at one of the registered endpoints; that it is refused is recorded."""
        try:
            return self.handle_response(*self._endpoints[endpoint][0](request))
        except OAuth2Error as error:
            client_id = request.client.client_id if request.client else None
            record(
                request.db,
                1,
                "deny",
                reason(error),
                f"token.{endpoint}",
                client_id=client_id,
                time=request.now,
            )
            return self.handle_response(*error())

    def _record(self, request: ServerRequest, decision: Decision, reason: str) -> None:
        step, operation = _STEPS.get(request.payload.grant_type, (4, "token.unknown_grant"))
        if isinstance(request.client, Receiver):
            operation = "token.receiver"
        fields = of_token(request.principal)
        if request.client is not None:
            fields["client_id"] = request.client.client_id
        if decision == "deny" and operation == "token.exchange":
            # What was asked for, by whom: only names that this server knows, whatever the request says.
            names = self._known_names(request)
            known = [a for a in request.all("resource") + request.all("audience") if a in names]
            asked = Scope(request.payload.data.get("scope", "").split()) & SUPPORTED
            actor = (request.client.client_id,) if request.client is not None else ()
            fields |= {"aud": tuple(known), "scope": str(asked), "act": actor}
        fields |= {"time": request.now, "trace_id": request.trace_id}
        request.keep(entry(step, decision, reason, operation, **fields))

    def _known_names(self, request: ServerRequest) -> set[str]:
        return request.known_names().union(*(client.resources for client in self.clients.values()))
