"""Access tokens: issued, and read back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from auth_server.signing_keys import SigningKeys
from auth_server.tables import IssuedToken
from delegation.authorization_details import AccountTransfer
from delegation.bearer import InvalidToken
from delegation.random_ids import ordered_id
from delegation.scope import Scope
from delegation.signing_key import ALGORITHM
from delegation.token import AccessToken, Actor
from delegation.verification import access_token, key_id, signed_claims
from delegation.verified_tokens import Verified, VerifiedTokens

SUBJECT_TOKEN_LIFE: Final = timedelta(minutes=15)
ACTOR_TOKEN_LIFE: Final = timedelta(minutes=5)
APP_TOKEN_LIFE: Final = timedelta(minutes=5)
_REMEMBERED: Final = 10_000
"""How many verified tokens are remembered: an agent's own is used again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenContent:
    """What a token is to say.

    `sid`, `family` and `parent_jti` are not in it: they say which sign-on session, which authorization code
    and which subject token it descends from, so that it can end with them.
    """

    sub: str
    client_id: str
    audience: str
    scope: Scope
    expires_at: datetime
    act: Actor | None = None
    may_act: str | None = None
    account_transfer: AccountTransfer | None = None
    sid: str | None = None
    family: str | None = None
    parent_jti: str | None = None


class TokenIssuer:
    """Signs access tokens, and reads back those that it signed."""

    def __init__(self, issuer: str, keys: SigningKeys) -> None:
        self.issuer = issuer
        self.keys = keys
        self._verified = VerifiedTokens(_REMEMBERED)

    def issue(self, db: Session, content: TokenContent, now: datetime) -> tuple[str, AccessToken]:
        """Sign an access token (RFC 9068 §2.2) and keep its identifier. Returns it encoded, and as a type."""
        encoded, token, kept = self.sign(content, now)
        db.add(IssuedToken(**kept))
        return encoded, token

    def sign(self, content: TokenContent, now: datetime) -> tuple[str, AccessToken, dict[str, Any]]:
        """Sign an access token. Returns it encoded, as a type, and as the row that is to be kept of it."""
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": content.audience,
            "sub": content.sub,
            "client_id": content.client_id,
            "scope": str(content.scope),
            "jti": ordered_id(),
            "iat": int(now.timestamp()),
            "exp": int(content.expires_at.timestamp()),
        }
        if content.act:
            claims["act"] = content.act.as_claim()
        if content.may_act:
            claims["may_act"] = {"sub": content.may_act}
        if content.account_transfer:
            claims["authorization_details"] = content.account_transfer.as_claim()
        token = access_token(claims, self.issuer, content.audience, now)
        kept = {
            "jti": token.jti,
            "sub": token.subject,
            "client_id": token.client_id,
            "family": content.family,
            "sid": content.sid,
            "parent_jti": content.parent_jti,
            "issued_at": now,
            "expires_at": token.expires_at,
        }
        return self.keys.current().sign(claims, typ="at+jwt"), token, kept

    def read(self, db: Session, encoded: str, now: datetime) -> AccessToken:
        """Return a token that this server issued and that is still good.

        Raises:
            InvalidToken: it is anything else, a revoked token or a descendant of one included.
        """
        token = self.verified(encoded, now)
        if not _is_live(db, token.jti):
            raise revoked()
        return token

    def verified(self, encoded: str, now: datetime) -> AccessToken:
        """Return a token that this server issued and that has not expired; it may have been revoked.

        Raises:
            InvalidToken: it is anything else.
        """
        known = self._verified.get(encoded)
        kid = known.kid if known else key_id(encoded, (ALGORITHM,))
        key = self.keys.find(kid)
        if key is None:
            raise InvalidToken("The token is signed with a key that this server does not have.")
        if known and known.holds(key.public, now):
            return known.token
        claims = signed_claims(encoded, key.public, (ALGORITHM,))
        token = access_token(claims, self.issuer, None, now)
        self._verified.add(encoded, Verified(token, key.public, kid, now))
        return token


def revoked() -> InvalidToken:
    """Return the error of a token that has been revoked."""
    return InvalidToken("The token has been revoked.")


def _is_live(db: Session, jti: str) -> bool:
    rows = [db.get(IssuedToken, one) for one in _line(db, jti)]
    return all(row is not None and row.revoked_at is None for row in rows)


def _line(db: Session, jti: str | None) -> Iterator[str]:
    """Yield a token's identifier, and of each that it was exchanged for; that never changes."""
    while jti is not None:
        yield jti
        row = db.get(IssuedToken, jti)
        jti = row.parent_jti if row else None
