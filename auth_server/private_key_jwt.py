"""Client authentication by `private_key_jwt` (RFC 7523 §2.2, §3; OpenID Connect Core §9)."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio.from_thread

from auth_server.client_keys import ClientKeys
from auth_server.clients import Client
from auth_server.oauth_errors import InvalidClient
from auth_server.oauth_request import ServerRequest
from auth_server.tables import hashed
from auth_server.used_assertions import Assertion, use_once
from delegation.client_assertion import ASSERTION_TYPE
from delegation.compact_jws import UnverifiedJwt, unverified_jwt
from delegation.jwks import KeysUnavailable, UnknownKey
from delegation.signing_key import ALGORITHM

LONGEST_ASSERTION_LIFE: Final = timedelta(minutes=5)
_MAX_LENGTH: Final = 4096
_JTI: Final = re.compile(r"[ -~]{1,256}")
_CLIENT_ID: Final = re.compile(r"[ -~]+")
"""Of RFC 6749 §A.1. A database would be asked for anything else in vain, and some choke on it."""
_TYPES: Final = frozenset({"jwt", "client-authentication+jwt"})

FindClient = Callable[[str], Awaitable[Client | None]]
"""Finds the client of this identifier, on the event loop."""


class PrivateKeyJwt:
    """Authenticates a client by an assertion that it signed with one of its keys.

    Args:
        issuer: the only audience that an assertion may name (rfc7523bis §4).
        keys: finds a client's public keys.
    """

    def __init__(self, issuer: str, keys: ClientKeys) -> None:
        self._issuer = issuer
        self._keys = keys

    def __call__(self, find: FindClient, request: ServerRequest) -> Client:
        """Return the client that a request is from, in a worker thread; its assertion is spent.

        Raises:
            InvalidClient: the assertion is missing or not acceptable (RFC 6749 §5.2).
        """
        # Up to here nothing was asked in the request's transaction, so none waits for the client's keys.
        assertion = anyio.from_thread.run(self.verified, find, request.form, request.now)
        if not use_once(request.db.connection(), [assertion])[0]:
            raise used_before()
        return assertion.client

    async def verified(self, find: FindClient, form: Mapping[str, str], now: datetime) -> Assertion:
        """Return the assertion of a request, verified. It is still to be spent, with `use_once`.

        Raises:
            InvalidClient: it is missing or not acceptable.
        """
        encoded = form.get("client_assertion")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not encoded:
            raise InvalidClient("client authentication is missing: send client_assertion (private_key_jwt)")
        jwt = _read(encoded)
        client_id, kid = _claimed_client(jwt)
        client = await find(client_id)
        if client is None or form.get("client_id", client_id) != client_id:
            raise _refused("no client is registered under this identifier")
        claims = await self._claims(jwt, client, kid)
        expires_at = check_assertion(claims, client_id, self._issuer, now)
        return Assertion(client, hashed(claims["jti"]), expires_at)

    async def _claims(self, jwt: UnverifiedJwt, client: Client, kid: str) -> dict[str, Any]:
        try:
            return jwt.verified_claims(await self._keys.key(client, kid), (ALGORITHM,))
        except KeysUnavailable as error:
            raise _refused("the client's keys cannot be had; is its jwks_uri served?") from error
        except (UnknownKey, ValueError) as error:
            raise _refused("the assertion is not signed with a key that the client publishes") from error


def used_before() -> InvalidClient:
    """Return the error of an assertion that was used before."""
    return _refused("the assertion was used before; make a new one for each request")


def check_assertion(claims: Mapping[str, Any], client_id: str, issuer: str, now: datetime) -> datetime:
    """Return when the assertion expires, if its claims are as RFC 7523 §3 wants them.

    Raises:
        InvalidClient: they are not.
    """
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise _refused("iss and sub must both be the client identifier")
    if claims.get("aud") not in (issuer, [issuer]):
        raise _refused("aud must be the issuer and nothing else")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not _JTI.fullmatch(jti):
        raise _refused("jti is missing or malformed")
    expires_at = _time(claims, "exp")
    if not now < expires_at <= now + LONGEST_ASSERTION_LIFE:
        raise _refused("exp must be in the future, and at most five minutes ahead")
    if "nbf" in claims and _time(claims, "nbf") > now + timedelta(seconds=5):
        raise _refused("the assertion is not valid yet")
    return expires_at


def _read(assertion: str) -> UnverifiedJwt:
    if len(assertion) > _MAX_LENGTH:
        raise _refused("the assertion is too long")
    try:
        return unverified_jwt(assertion)
    except ValueError as error:
        raise _refused("the assertion is not a JWT") from error


def _claimed_client(assertion: UnverifiedJwt) -> tuple[str, str]:
    """Return who the assertion says it is from, and by which key; neither is verified yet."""
    header = assertion.header
    kid, client_id = header.get("kid"), assertion.claims.get("sub")
    if (
        str(header.get("typ", "JWT")).lower() not in _TYPES
        or header.get("alg") != ALGORITHM
        or "crit" in header
    ):
        raise _refused(f"the assertion must be a JWT signed with {ALGORITHM}")
    if not isinstance(kid, str) or not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise _refused("the assertion must have a kid and a sub")
    return client_id, kid


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(f"{name} is missing or malformed")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _refused(f"{name} is missing or malformed") from error


def _refused(reason: str) -> InvalidClient:
    return InvalidClient(f"client authentication failed: {reason}")
