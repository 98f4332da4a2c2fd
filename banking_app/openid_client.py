"""This app as a client of the authorization server: OpenID Connect and OAuth 2.0, on Authlib's client."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from ssl import SSLContext
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
from authlib.common.urls import add_params_to_qs
from authlib.integrations.base_client import OAuthError as AuthlibOAuthError
from authlib.integrations.httpx_client import OAuth2Client

from banking_app.id_token import ExpectedIdToken, InvalidIdToken, verified_claims
from banking_app.session_store import IssuedToken
from banking_app.settings import Settings
from banking_app.sign_on_attempts import Attempt
from delegation.client_assertion import assertion_parameters
from delegation.clock import Clock, utc_now
from delegation.oauth_error import OAuthError
from delegation.signing_key import SigningKey
from delegation.trace import outgoing_headers

_SCOPE: Final = (
    "openid profile account:read_balance account:read_transactions account:transfer "
    "grant_management_query grant_management_revoke agents:read agents:write audit:read"
)
_TIMEOUT_SECONDS: Final = 10.0
_NO_ANSWER: Final = "temporarily_unavailable"


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token endpoint's answer (RFC 6749 §5.1). `refresh_token` is None when the old one stays good."""

    token: IssuedToken
    refresh_token: str | None
    id_token: str | None


@dataclass(frozen=True, slots=True)
class SignOn:
    """A sign-on that was verified end to end: the issuer's own token, the refresh token, who signed on."""

    token: IssuedToken
    refresh_token: str
    id_token: str
    claims: Mapping[str, Any]


class OpenIdClient:
    """Speaks for `client_id`, authenticated by `private_key_jwt`; safe to use from several threads.

    Every method that calls the server raises `OAuthError`: the server's own code, or
    `temporarily_unavailable` when it gave no usable answer.
    """

    def __init__(self, settings: Settings, key: SigningKey, tls: SSLContext, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._key = key
        self._tls = tls
        self._clock = clock

    def authorization_url(self, attempt: Attempt, *, ask_consent: bool) -> str:
        """Return where the browser goes to sign on (RFC 6749 §4.1.1, RFC 7636, RFC 8707 §2.1)."""
        settings = self._settings
        with self._authlib(code_challenge_method="S256") as client:
            url, _ = client.create_authorization_url(
                settings.authorization_endpoint,
                state=attempt.state,
                code_verifier=attempt.code_verifier,
                nonce=attempt.nonce,
                scope=_SCOPE,
                redirect_uri=settings.redirect_uri,
                resource=[settings.agent_id, settings.account_api_audience, settings.issuer],
                prompt="consent" if ask_consent else None,
            )
        return str(url)

    def redeem(self, code: str, attempt: Attempt) -> SignOn:
        """Exchange a code for the issuer's own token, and learn who signed on (RFC 6749 §4.1.3).

        That is the one resource that both customers and staff may have a token for.

        Raises:
            OAuthError: see the class.
            InvalidIdToken: the answer does not prove who signed on.
        """
        answer = self._ask_for_token(
            grant_type="authorization_code",
            code=code,
            code_verifier=attempt.code_verifier,
            redirect_uri=self._settings.redirect_uri,
            resource=self._settings.issuer,
        )
        if answer.id_token is None or answer.refresh_token is None:
            raise InvalidIdToken("the token response lacks the ID token or the refresh token")
        expected = ExpectedIdToken(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=attempt.nonce,
            algorithm=self._settings.id_token_signed_response_alg,
        )
        claims = verified_claims(
            answer.id_token, self._key_set(), expected, answer.token.access_token, self._clock()
        )
        return SignOn(answer.token, answer.refresh_token, answer.id_token, claims)

    def refresh(self, refresh_token: str, resource: str) -> TokenResponse:
        """Get an access token for one resource (RFC 6749 §6, RFC 8707 §2.2).

        This spends the refresh token: the caller keeps the new one at once and never sends the old one again.
        """
        return self._ask_for_token(grant_type="refresh_token", refresh_token=refresh_token, resource=resource)

    def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token and what came from it (RFC 7009 §2.1)."""
        with _oauth_errors(), self._authlib() as client:
            client.revoke_token(
                self._settings.revocation_endpoint,
                token=refresh_token,
                token_type_hint="refresh_token",  # noqa: S106 - the hint's name for the kind of token
                auth=client.client_auth("private_key_jwt"),
                headers=outgoing_headers() | {"Content-Type": "application/x-www-form-urlencoded"},
            ).raise_for_status()

    def end_session_url(self, id_token: str) -> str:
        """Return where the browser goes to sign out there too (OpenID Connect RP-Initiated Logout §2)."""
        parameters = {
            "id_token_hint": id_token,
            "client_id": self._settings.client_id,
            "post_logout_redirect_uri": f"{self._settings.public_url}/",
        }
        return f"{self._settings.end_session_endpoint}?{urlencode(parameters)}"

    def _ask_for_token(self, **parameters: str) -> TokenResponse:
        asked_at = self._clock()
        with _oauth_errors(), self._authlib(token_endpoint_auth_method="private_key_jwt") as client:  # noqa: S106
            answer = client.fetch_token(
                self._settings.token_endpoint, headers=outgoing_headers(), **parameters
            )
        return _token_response(answer, asked_at)

    def _key_set(self) -> Mapping[str, Any]:
        with _oauth_errors(), self._authlib() as client:
            keys = (
                client.request("GET", self._settings.jwks_uri, withhold_token=True).raise_for_status().json()
            )
            if not isinstance(keys, dict):
                raise ValueError("not a JWK set")
            return keys

    @contextmanager
    def _authlib(self, **options: str) -> Iterator[Any]:
        # Authlib keeps the last token in its client, so that each request needs a client of its own.
        client = OAuth2Client(
            client_id=self._settings.client_id, verify=self._tls, timeout=_TIMEOUT_SECONDS, **options
        )
        client.register_client_auth_method(("private_key_jwt", self._authenticate))
        with client:
            yield client

    def _authenticate(
        self,
        _auth: object,
        _method: str,
        uri: str,
        headers: object,
        body: str | bytes | None,
    ) -> tuple[str, object, object]:
        # Authlib's PrivateKeyJWT puts the token endpoint's address into `aud`; ours must be the issuer.
        parameters = assertion_parameters(
            self._key, self._settings.client_id, self._settings.issuer, self._clock
        )
        form = body.decode() if isinstance(body, bytes) else body or ""
        return uri, headers, add_params_to_qs(form, list(parameters.items()))


@contextmanager
def _oauth_errors() -> Iterator[None]:
    """Turn every way of failing into `OAuthError`, whose text holds nothing of what was sent."""
    try:
        yield
    except AuthlibOAuthError as error:
        raise OAuthError(str(error.error), str(error.description or "")) from None
    except httpx2.HTTPStatusError as error:
        raise OAuthError(_NO_ANSWER, "the authorization server failed", error.response.status_code) from None
    except (httpx2.HTTPError, ValueError):
        raise OAuthError(_NO_ANSWER, "the authorization server gave no usable answer") from None


def _token_response(answer: Mapping[str, Any], asked_at: datetime) -> TokenResponse:
    access_token, expires_in = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(access_token, str) or not isinstance(expires_in, int):
        raise OAuthError(_NO_ANSWER, "the token response lacks access_token or expires_in")
    refresh_token, id_token = answer.get("refresh_token"), answer.get("id_token")
    return TokenResponse(
        IssuedToken(access_token=access_token, expires_at=asked_at + timedelta(seconds=expires_in)),
        refresh_token if isinstance(refresh_token, str) else None,
        id_token if isinstance(id_token, str) else None,
    )
