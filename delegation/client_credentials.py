"""A client's own side of the token endpoint (RFC 6749 §4.4), authenticated by `private_key_jwt`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx2

from delegation.client_assertion import assertion_parameters
from delegation.clock import Clock, utc_now
from delegation.oauth_error import OAuthError
from delegation.scope import Scope
from delegation.signing_key import SigningKey
from delegation.trace import outgoing_headers

_RENEW_BEFORE_EXPIRY: Final = timedelta(seconds=30)
_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What the token endpoint gave. `expires_at` is aware UTC."""

    access_token: str
    scope: Scope
    expires_at: datetime

    def __repr__(self) -> str:  # a token must not reach a log through a traceback
        return f"IssuedToken(scope={str(self.scope)!r}, expires_at={self.expires_at.isoformat()})"


class ClientCredentials:
    """A client at the token endpoint, authenticated by its own key: gets a token of its own."""

    def __init__(
        self,
        token_endpoint: str,
        issuer: str,
        client_id: str,
        key: SigningKey,
        http: httpx2.AsyncClient,
        clock: Clock = utc_now,
        *,
        scope: str = "",
    ) -> None:
        """`scope` is what the client's own token is to be good for; all that it may have, if not said."""
        self._scope = {"scope": scope} if scope else {}
        self._token_endpoint = token_endpoint
        self._issuer = issuer
        self._client_id = client_id
        self._key = key
        self._http = http
        self._clock = clock
        self._own_token: IssuedToken | None = None

    async def own_token(self) -> IssuedToken:
        """Return the client's own token (RFC 6749 §4.4), renewed shortly before expiry.

        Raises:
            OAuthError: the authorization server refused or did not answer.
        """
        held = self._own_token
        if held is None or held.expires_at - self._clock() < _RENEW_BEFORE_EXPIRY:
            held = self._own_token = await self.request({"grant_type": "client_credentials"} | self._scope)
        return held

    def forget_own_token(self) -> None:
        """Get a new one next time: what it was sent to did not take it."""
        self._own_token = None

    async def request(self, parameters: dict[str, str]) -> IssuedToken:
        """Make a token request (RFC 6749 §3.2), authenticated by `private_key_jwt`.

        Raises:
            OAuthError: the authorization server refused or did not answer.
        """
        form = parameters | assertion_parameters(self._key, self._client_id, self._issuer, self._clock)
        try:
            response = await self._http.post(
                self._token_endpoint, data=form, headers=outgoing_headers(), timeout=_TIMEOUT_SECONDS
            )
            body = response.json()
        except (httpx2.HTTPError, ValueError, RecursionError) as error:
            raise OAuthError("temporarily_unavailable", "the authorization server does not answer") from error
        if not isinstance(body, dict):
            body = {}
        if response.status_code != httpx2.codes.OK:
            raise _refusal(body, response.status_code)
        return self._issued(body, parameters.get("scope", ""))

    def _issued(self, body: dict[str, object], requested_scope: str) -> IssuedToken:
        access_token, token_type, expires_in = (
            body.get(n) for n in ("access_token", "token_type", "expires_in")
        )
        scope = body.get("scope", requested_scope)
        if (
            not isinstance(access_token, str)
            or not isinstance(token_type, str)
            or token_type.lower() != "bearer"
            or isinstance(expires_in, bool)
            or not isinstance(expires_in, int)
            or expires_in < 0
            or not isinstance(scope, str)
        ):
            raise _malformed()
        try:
            granted = Scope.parse(scope)
        except ValueError as error:
            raise _malformed() from error
        return IssuedToken(access_token, granted, self._clock() + timedelta(seconds=min(expires_in, 86_400)))


def _malformed() -> OAuthError:
    return OAuthError("temporarily_unavailable", "the authorization server's answer is malformed", 200)


def _refusal(body: dict[str, object], status: int) -> OAuthError:
    error, description = body.get("error"), body.get("error_description")
    if not isinstance(error, str):
        return OAuthError("temporarily_unavailable", f"the authorization server answered {status}", status)
    return OAuthError(error, description if isinstance(description, str) else "", status)
