"""The refresh token grant: rotation, and an end to everything when one is used twice (RFC 9700 §4.14.2)."""

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant as AuthlibRefreshTokenGrant

from auth_server.customer_tokens import CustomerTokenGrant
from auth_server.ended_tokens import revoke_family
from auth_server.people import Person
from auth_server.tables import RefreshToken, hashed


class RefreshTokenGrant(CustomerTokenGrant, AuthlibRefreshTokenGrant):
    """A refresh token is good once; the answer brings the next one."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken:
        """Return the refresh token if it is in time and unused, and the customer still signed on.

        Raises:
            InvalidGrantError: it is not; or it was used before: two hold it, and which is the thief cannot be
                told, so all that came of the sign-on ends.
        """
        db, now, client_id = self.request.db, self.request.now, self.request.known_client.client_id
        found = db.get(RefreshToken, hashed(refresh_token))
        if found is None or found.client_id != client_id or not self.hold(found):
            raise InvalidGrantError("this refresh token is unknown, or the sign-on is over; sign on again")
        if found.used_at is not None:
            revoke_family(db, found.family, now)
            raise InvalidGrantError("this refresh token was used before; sign on again")
        if found.revoked_at is not None or found.expires_at <= now:
            raise InvalidGrantError("this refresh token has ended; sign on again")
        return found

    def authenticate_user(self, refresh_token: RefreshToken) -> Person:
        """Return who signed on."""
        return self._person(refresh_token)

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        """Mark the refresh token as used; it is kept, so that a second use is noticed."""
        refresh_token.used_at = self.request.now
