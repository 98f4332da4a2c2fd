"""The client credentials grant (RFC 6749 §4.4): an agent's actor token, a receiver's token for its events."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as AuthlibClientCredentialsGrant

from auth_server.authorization_server import AuthorizationServer
from auth_server.clients import Agent, Receiver
from auth_server.oauth_request import ServerRequest
from auth_server.resource_indicator import one_resource
from auth_server.tokens import ACTOR_TOKEN_LIFE, TokenContent
from delegation.scope import Scope


class ClientCredentialsGrant(AuthlibClientCredentialsGrant):
    """The token names its client and is for this server only.

    An agent's is its actor token, and says what may be delegated to it; a receiver's opens its event streams.
    """

    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)
    request: ServerRequest
    server: AuthorizationServer

    def generate_token(self, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """Issue the token.

        Raises:
            UnauthorizedClientError: the client is neither an agent nor a receiver of events.
            InvalidTarget: a resource other than this server is asked for.
            InvalidScopeError: the client may have nothing of the scope asked for.
        """
        request, issuer = self.request, self.server.settings.issuer
        client = request.known_client
        if not isinstance(client, Agent | Receiver):
            raise UnauthorizedClientError("only agents and receivers of events get a token of their own")
        life = min(ACTOR_TOKEN_LIFE, client.max_life) if isinstance(client, Agent) else ACTOR_TOKEN_LIFE
        scope = client.most_scope
        if request.payload.scope:
            scope = scope & Scope.parse(request.payload.scope)
        if not scope:
            raise InvalidScopeError("nothing of this scope may be had by this client")
        content = TokenContent(
            sub=client.client_id,
            client_id=client.client_id,
            audience=one_resource(request.all("resource"), {issuer}, default=issuer),
            scope=scope,
            expires_at=request.now + life,
        )
        encoded, request.principal = self.server.tokens.issue(request.db, content, request.now)
        return {
            "access_token": encoded,
            "token_type": "Bearer",
            "expires_in": int(life.total_seconds()),
            "scope": str(content.scope),
        }
