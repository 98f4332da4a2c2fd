"""The client credentials grant: an agent gets its actor token (RFC 6749 §4.4)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as AuthlibClientCredentialsGrant

from auth_server.authorization_server import AuthorizationServer
from auth_server.clients import Agent
from auth_server.oauth_request import ServerRequest
from auth_server.resource_indicator import one_resource
from auth_server.tokens import ACTOR_TOKEN_LIFE, TokenContent
from delegation.scope import Scope


class ClientCredentialsGrant(AuthlibClientCredentialsGrant):
    """The actor token names the agent, is for this server only, and says what may be delegated to it."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)
    request: ServerRequest
    server: AuthorizationServer

    def generate_token(self, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """Issue the actor token.

        Raises:
            UnauthorizedClientError: the client is no agent.
            InvalidTarget: a resource other than this server is asked for.
            InvalidScopeError: nothing of the scope asked for may be delegated to the agent.
        """
        request, issuer = self.request, self.server.settings.issuer
        agent = request.known_client
        if not isinstance(agent, Agent):
            raise UnauthorizedClientError("only agents get a token of their own")
        life = min(ACTOR_TOKEN_LIFE, agent.max_life)
        scope = agent.most_scope
        if request.payload.scope:
            scope = scope & Scope.parse(request.payload.scope)
        if not scope:
            raise InvalidScopeError("nothing of this scope may be delegated to this agent")
        content = TokenContent(
            sub=agent.client_id,
            client_id=agent.client_id,
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
