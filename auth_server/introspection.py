"""Token introspection (RFC 7662), which shows `act`, `may_act` and `authorization_details`.

RFC 8693 §4.1 and §4.4, RFC 9396 §9.2.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint as AuthlibIntrospectionEndpoint

from auth_server.audit import record
from auth_server.authorization_server import AuthorizationServer
from auth_server.clients import Client
from auth_server.oauth_request import ServerRequest
from delegation.bearer import InvalidToken
from delegation.record import Decision, of_token
from delegation.token import AccessToken, DelegationToken


class IntrospectionEndpoint(AuthlibIntrospectionEndpoint):
    """Tells a client about access tokens that were issued to it or for it; all else is `active: false`."""

    CLIENT_AUTH_METHODS = ("private_key_jwt",)
    server: AuthorizationServer

    def create_endpoint_response(
        self, request: ServerRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Answer an introspection request (RFC 7662 §2.2).

        Raises:
            InvalidClient: the caller did not authenticate.
            InvalidRequestError: no token was sent.
        """
        client = self.authenticate_endpoint_client(request)
        encoded = request.form.get("token")
        if not encoded:
            raise InvalidRequestError("token is missing")
        token = self._token_of(client, request, encoded)
        decision: Decision = "permit" if token else "deny"
        reason = "the token is active" if token else "no active token of this client's, or for it"
        fields = of_token(token) | {"client_id": client.client_id}
        record(request.db, 1, decision, reason, "token.introspection", time=request.now, **fields)
        return 200, active(token) if token else {"active": False}, []

    def _token_of(self, client: Client, request: ServerRequest, encoded: str) -> AccessToken | None:
        try:
            token = self.server.tokens.read(request.db, encoded, request.now)
        except InvalidToken:
            return None
        return token if client.client_id in {token.client_id, *token.audience} else None


def active(token: AccessToken) -> dict[str, Any]:
    """Return what introspection says of a good token."""
    body: dict[str, Any] = {
        "active": True,
        "iss": token.issuer,
        "sub": token.subject,
        "aud": list(token.audience) if len(token.audience) > 1 else token.audience[0],
        "client_id": token.client_id,
        "scope": str(token.scope),
        "jti": token.jti,
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "token_type": "Bearer",
    }
    if isinstance(token, DelegationToken):
        body["act"] = token.act.as_claim()
    if token.may_act:
        body["may_act"] = {"sub": token.may_act}
    if token.account_transfer:
        body["authorization_details"] = token.account_transfer.as_claim()
    return body
