"""Verification of JWT access tokens at a protected resource (RFC 9068 §4, RFC 8725)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jwt import PyJWK

from delegation.authorization_details import AccountTransfer
from delegation.bearer import InvalidToken
from delegation.clock import Clock, utc_now
from delegation.compact_jws import jose_header, verified_claims
from delegation.jwks import RemoteKeySet, UnknownKey
from delegation.revocations import Revocations
from delegation.scope import Scope
from delegation.token import AccessToken, Actor, DelegationToken, is_text
from delegation.verified_tokens import Verified, VerifiedTokens

ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_MAX_TOKEN_LENGTH: Final = 8192
_MAX_KID_LENGTH: Final = 256
_KEYS_BY_REFERENCE: Final = ("jku", "jwk", "x5u", "x5c")
_CLOCK_SKEW: Final = timedelta(seconds=5)
"""How far the issuer's clock may be ahead of ours; an expiry gets no such grace."""


class TokenVerifier:
    """Verifies access tokens of one issuer for one audience; with `revocations`, also that none has ended."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: RemoteKeySet,
        *,
        algorithms: tuple[str, ...] = ("ES256",),
        clock: Clock = utc_now,
        revocations: Revocations | None = None,
        verified_tokens: int = 0,
    ) -> None:
        """`verified_tokens` is how many are remembered, so that calls that repeat one cost less."""
        if any(algorithm == "none" or algorithm.startswith("HS") for algorithm in algorithms):
            raise ValueError("only signatures by asymmetric keys can be verified")
        self.issuer = issuer
        self.audience = audience
        self.keys = keys
        self._algorithms = algorithms
        self._clock = clock
        self._revocations = revocations
        self._verified = VerifiedTokens(verified_tokens)

    async def verify(self, encoded: str) -> AccessToken:
        """Return the verified token; a `DelegationToken` when it names an actor.

        Leaves unchecked: scope and actor, which belong to the operation.

        Raises:
            InvalidToken: any check failed; the description names it and quotes nothing from the token.
            Unverifiable: the issuer's keys cannot be had, or it cannot be known which tokens have ended.
        """
        known, now = self._verified.get(encoded), self._clock()
        if known is None or not known.holds(self.keys.fresh_key(known.kid, now), now):
            known = await self._found(encoded, known)
        if self._revocations is not None:
            self._revocations.check(known.token)
        return known.token

    async def _found(self, encoded: str, known: Verified | None) -> Verified:
        kid = known.kid if known else key_id(encoded, self._algorithms)
        try:
            key = await self.keys.key(kid)
        except UnknownKey as error:
            raise InvalidToken("The token is signed with a key that the issuer does not have.") from error
        now = self._clock()
        if known and known.holds(key, now):
            return known
        claims = signed_claims(encoded, key, self._algorithms)
        token = access_token(claims, self.issuer, self.audience, now)
        found = Verified(token, key, kid, now)
        self._verified.add(encoded, found)
        return found

    def check_still_good(self, token: AccessToken) -> None:
        """Let a token pass that was verified some time ago and has neither expired nor ended since.

        Whoever reads a body after the header asks again before anything is done: bodies can be slow.

        Raises:
            InvalidToken: it has.
            Unverifiable: it cannot be known which tokens have ended.
        """
        if token.expires_at <= self._clock():
            raise InvalidToken("The token has expired.")
        if self._revocations is not None:
            self._revocations.check(token)


def key_id(encoded: str, algorithms: tuple[str, ...]) -> str:
    """Return the `kid` of a token whose JOSE header is acceptable (RFC 7515 §4.1).

    Raises:
        InvalidToken: not a JWT, another `typ`, an algorithm not configured, a key by reference, any `crit`.
    """
    if len(encoded) > _MAX_TOKEN_LENGTH:
        raise InvalidToken("The token is too long.")
    try:
        header = jose_header(encoded)
    except ValueError as error:
        raise InvalidToken("The token is not a JWT.") from error
    if str(header.get("typ")).lower() not in ACCESS_TOKEN_TYPES:
        raise InvalidToken("The token is not an access token: its typ is not at+jwt.")
    if header.get("alg") not in algorithms:
        raise InvalidToken("The token's signature algorithm is not accepted here.")
    if any(name in header for name in _KEYS_BY_REFERENCE):
        raise InvalidToken("The token brings its own key; only the issuer's published keys count.")
    if "crit" in header:
        raise InvalidToken("The token has a critical header that is not understood here.")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID_LENGTH:
        raise InvalidToken("The token does not say which key signed it.")
    return kid


def signed_claims(encoded: str, key: PyJWK, algorithms: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims of a token that this key signed; every claim is still to be checked.

    Raises:
        InvalidToken: the signature is not valid.
    """
    try:
        return verified_claims(encoded, key, algorithms)
    except ValueError as error:
        raise InvalidToken("The token's signature is not valid.") from error


def access_token(
    claims: Mapping[str, object], issuer: str, audience: str | None, now: datetime
) -> AccessToken:
    """Return the claims as a token, if they are complete and good at this time (RFC 9068 §2.2, §4).

    `audience` None leaves the audience to the caller.

    Raises:
        InvalidToken: a claim is missing, malformed or not as it must be.
    """
    expires_at = _time(claims, "exp")
    issued_at = _time(claims, "iat")
    audiences = _audience(claims)
    if _string(claims, "iss") != issuer:
        raise InvalidToken("The token is from another issuer.")
    if audience is not None and audience not in audiences:
        raise InvalidToken("The token is for another audience.")
    if expires_at <= now:
        raise InvalidToken("The token has expired.")
    if issued_at > now + _CLOCK_SKEW or ("nbf" in claims and _time(claims, "nbf") > now + _CLOCK_SKEW):
        raise InvalidToken("The token is not valid yet.")
    values: dict[str, Any] = {
        "issuer": issuer,
        "subject": _string(claims, "sub"),
        "audience": audiences,
        "client_id": _string(claims, "client_id"),
        "scope": _scope(claims),
        "jti": _string(claims, "jti"),
        "issued_at": issued_at,
        "expires_at": expires_at,
        "may_act": _actor(claims, "may_act", issuer).sub if "may_act" in claims else None,
        "account_transfer": _account_transfer(claims),
    }
    if "act" not in claims:
        return AccessToken(**values)
    return DelegationToken(**values, act=_actor(claims, "act", issuer))


def _string(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not is_text(value):
        raise InvalidToken(f"The token's {name} is missing or malformed.")
    return value


def _time(claims: Mapping[str, object], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"The token's {name} is missing or malformed.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidToken(f"The token's {name} is missing or malformed.") from error


def _audience(claims: Mapping[str, object]) -> tuple[str, ...]:
    value = claims.get("aud")
    audiences = value if isinstance(value, list) else [value]
    if not audiences or not all(map(is_text, audiences)):
        raise InvalidToken("The token's aud is missing or malformed.")
    return tuple(audiences)


def _scope(claims: Mapping[str, object]) -> Scope:
    value = claims.get("scope", "")
    if not isinstance(value, str):
        raise InvalidToken("The token's scope is not one space-separated string.")
    try:
        return Scope.parse(value)
    except ValueError as error:
        raise InvalidToken("The token's scope is malformed.") from error


def _actor(claims: Mapping[str, object], name: str, issuer: str) -> Actor:
    try:
        return Actor.from_claim(claims[name], issuer)
    except ValueError as error:
        raise InvalidToken(f"The token's {name} is malformed.") from error


def _account_transfer(claims: Mapping[str, object]) -> AccountTransfer | None:
    if "authorization_details" not in claims:
        return None
    try:
        return AccountTransfer.from_claim(claims["authorization_details"])
    except ValueError as error:
        raise InvalidToken(
            "The token's authorization_details are malformed, or of a type that is not known here."
        ) from error
