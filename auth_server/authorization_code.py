"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636), and the ID token that comes with it."""

import re
import secrets
from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant as AuthlibAuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from authlib.oidc.core.errors import RequestNotSupportedError
from joserfc.jwk import Key
from sqlalchemy import select

from auth_server.authorization_server import AuthorizationServer
from auth_server.clients import Client
from auth_server.customer_tokens import CustomerTokenGrant
from auth_server.ended_tokens import revoke_family
from auth_server.oauth_errors import InvalidAuthorizationDetails, InvalidTarget
from auth_server.oauth_request import ServerRequest
from auth_server.people import Person, role_claim
from auth_server.registered_agents import agents_named
from auth_server.resource_indicator import check_resource
from auth_server.tables import AuthorizationCode, SignOnSession, hashed
from delegation.signing_key import ALGORITHM

CODE_LIFE: Final = timedelta(seconds=60)
ID_TOKEN_LIFE: Final = timedelta(minutes=5)
_SECONDS: Final = re.compile(r"[0-9]{1,9}\Z")
_MAX_NONCE: Final = 256


class AuthorizationCodeGrant(CustomerTokenGrant, AuthlibAuthorizationCodeGrant):
    """Codes are kept as hashes, live a minute and are good once."""

    def save_authorization_code(self, code: str, request: ServerRequest) -> None:
        """Keep what the customer agreed to; `request.user` is their sign-on session."""
        session: SignOnSession = request.user
        data = request.payload.data
        request.db.add(
            AuthorizationCode(
                code_hash=hashed(code),
                family=secrets.token_urlsafe(16),
                client_id=request.known_client.client_id,
                sub=session.sub,
                sid=session.sid,
                scope=request.scope,
                resources=request.all("resource") or [self.server.settings.issuer],
                redirect_uri=data["redirect_uri"],
                code_challenge=data["code_challenge"],
                nonce=data.get("nonce"),
                auth_time=session.signed_on_at,
                expires_at=request.now + CODE_LIFE,
            )
        )

    def query_authorization_code(self, code: str, client: Client) -> AuthorizationCode | None:
        """Return the code if it is this client's, unused and in time, and the customer still signed on.

        A second use, however late, ends what the first one gave (RFC 6749 §4.1.2).
        """
        db, now = self.request.db, self.request.now
        found = db.get(AuthorizationCode, hashed(code))
        if found is None or found.client_id != client.client_id or not self.hold(found):
            return None
        if found.used_at is not None:
            revoke_family(db, found.family, now)
            return None
        return found if found.expires_at > now else None

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Mark the code as used; it is kept, so that a second use is noticed."""
        authorization_code.used_at = self.request.now

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Person:
        """Return who signed on."""
        return self._person(authorization_code)


class S256Challenge(CodeChallenge):
    """PKCE as RFC 9700 §2.1.1 wants it: always, and never `plain`."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        """Refuse a request without an S256 challenge."""
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required: send code_challenge with code_challenge_method=S256")
        super().validate_code_challenge(grant, redirect_uri)

    def get_authorization_code_challenge_method(self, authorization_code: AuthorizationCode) -> str:
        """Return the one method that there is."""
        return "S256"


class AuthorizationRequestRules:
    """What an authorization request may ask for, apart from what Authlib checks."""

    def __call__(self, grant: AuthorizationCodeGrant) -> None:
        """Add the check to the grant."""
        grant.register_hook("after_validate_authorization_request_payload", self.validate)

    def validate(self, grant: AuthorizationCodeGrant, _redirect_uri: str) -> None:
        """Check the parameters whose wishes must not be passed over in silence.

        Raises:
            RequestNotSupportedError: a request object is sent (OpenID Connect Core §3.1.2.6).
            InvalidAuthorizationDetails: `authorization_details` are asked for.
            InvalidRequestError: `response_mode`, `max_age` or `nonce` cannot be met.
            InvalidTarget: the client may not ask for a resource (RFC 8707 §2.1).
        """
        request, data = grant.request, grant.request.payload.data
        if {"request", "request_uri"} & data.keys():
            raise RequestNotSupportedError("request objects are not supported")
        if "authorization_details" in data:
            raise InvalidAuthorizationDetails
        if data.get("response_mode", "query") != "query":
            raise InvalidRequestError("response_mode can only be query")
        if not _SECONDS.match(data.get("max_age", "0")):
            raise InvalidRequestError("max_age must be a number of seconds")
        if len(data.get("nonce", "")) > _MAX_NONCE:
            raise InvalidRequestError(f"nonce may have {_MAX_NONCE} characters at most")
        client, resources = request.known_client, {*map(check_resource, request.all("resource"))}
        agents = agents_named(request.db, resources) if client.may_allow else {}
        if not resources <= client.resources.keys() | agents.keys():
            raise InvalidTarget("this client may not ask for this resource")


class IdToken(OpenIDCode):
    """The ID token (OpenID Connect Core §2), signed with the current key."""

    def __init__(self, server: AuthorizationServer) -> None:
        super().__init__(require_nonce=True)
        self._server = server

    def exists_nonce(self, nonce: str, request: ServerRequest) -> bool:
        """Tell whether the client used this nonce for a code that is still known."""
        used = select(AuthorizationCode.code_hash).where(
            AuthorizationCode.client_id == request.payload.client_id, AuthorizationCode.nonce == nonce
        )
        return request.db.scalar(used.limit(1)) is not None

    def process_token(self, grant: AuthorizationCodeGrant, response: tuple[int, dict[str, Any], Any]) -> None:
        """Add the ID token if the sign-on asked for `openid`; the access token's scope does not say."""
        _, token, _ = response
        if "openid" in grant.request.authorization_code.scope.split():
            token["id_token"] = self.encode_id_token(token, grant.request)

    def resolve_client_private_key(self, client: Client) -> Key:
        """Return the key that signs."""
        return self._server.tokens.keys.current().as_joserfc()

    def get_client_algorithm(self, client: Client) -> str:
        """Return the one algorithm."""
        return ALGORITHM

    def get_encode_header(self, client: Client) -> dict[str, str]:
        """Return the JOSE header."""
        return {"alg": ALGORITHM, "typ": "JWT", "kid": self._server.tokens.keys.current().kid}

    def get_compatible_claims(self, request: ServerRequest) -> dict[str, Any]:
        """Return the claims that do not depend on the user; times are ours, not the library's."""
        return {
            "iss": self._server.settings.issuer,
            "aud": request.known_client.client_id,
            "iat": int(request.now.timestamp()),
            "exp": int((request.now + ID_TOKEN_LIFE).timestamp()),
            "sid": request.authorization_code.sid,
        }

    def generate_user_info(self, user: Person, scope: str) -> dict[str, str]:
        """Return who signed on, and a member of staff's role: for what is shown, and never for a decision."""
        return {"sub": user.sub, "name": user.name} | role_claim(user)
