"""Token revocation (RFC 7009)."""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint as AuthlibRevocationEndpoint

from auth_server.audit import record
from auth_server.authorization_server import AuthorizationServer
from auth_server.browser_session import hold_session
from auth_server.ended_tokens import revoke_family, revoke_token
from auth_server.oauth_errors import UnauthorizedRevocation
from auth_server.oauth_request import ServerRequest
from auth_server.tables import IssuedToken, RefreshToken, hashed
from delegation.bearer import InvalidToken


class RevocationEndpoint(AuthlibRevocationEndpoint):
    """Ends a client's own tokens: a refresh token with all that came of its code, an access token alone."""

    CLIENT_AUTH_METHODS = ("private_key_jwt",)
    server: AuthorizationServer

    def create_endpoint_response(
        self, request: ServerRequest
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Answer a revocation request: 200, also for a token that is unknown (RFC 7009 §2.2).

        Raises:
            InvalidClient: the caller did not authenticate.
            InvalidRequestError: no token was sent.
            UnauthorizedRevocation: the token is another client's.
        """
        client = self.authenticate_endpoint_client(request)
        value = request.form.get("token")
        if not value:
            raise InvalidRequestError("token is missing")
        row = request.db.get(RefreshToken, hashed(value)) or self._access_token(request, value)
        if row is not None and row.client_id != client.client_id:
            raise UnauthorizedRevocation("this token was issued to another client")
        reason = "the client ended its own token"
        if row is None:
            reason = "there is no such token, or no longer: nothing was to be done"
        elif isinstance(row, RefreshToken):
            hold_session(request.db, row.sid)
            revoke_family(request.db, row.family, request.now)
        else:
            revoke_token(request.db, row, request.now)
        sub, who, now = row.sub if row else None, client.client_id, request.now
        record(request.db, 1, "permit", reason, "token.revocation", sub=sub, client_id=who, time=now)
        return 200, {}, []

    def _access_token(self, request: ServerRequest, value: str) -> IssuedToken | None:
        try:
            token = self.server.tokens.read(request.db, value, request.now)
        except InvalidToken:
            return None
        return request.db.get(IssuedToken, token.jti)
