"""Security event tokens that say which access tokens have ended (RFC 8417).

The event types are those of CAEP 1.0 and RISC 1.0, their subjects the identifiers of RFC 9493 and of the
OpenID Shared Signals Framework 1.0 §3. What a subject names, and so what ends:

- `jwt_id`: one access token, by its `jti`;
- `complex` with `user` and `application`: all under which this agent acts for this customer;
- `iss_sub`: all in which this identity takes part, as the customer, as the client or as an actor.

The last two are about tokens issued before the second of the event; those issued in it are named one by one,
so that what is issued after a resumption in the same second does not end with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from jwt.exceptions import InvalidAudienceError, InvalidIssuerError, InvalidTokenError

from delegation.token import is_text

TYP: Final = "secevent+jwt"
SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
"""CAEP 1.0 §3.1."""
ACCOUNT_DISABLED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
"""RISC 1.0 §2.3."""

_ENDING: Final = (SESSION_REVOKED, ACCOUNT_DISABLED)


class InvalidSet(Exception):
    """A security event token that cannot be relied on; `error` is the code of RFC 8935 §2.4."""

    def __init__(self, description: str, error: str = "invalid_request") -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True, slots=True)
class Ended:
    """What an event says has ended, at `time` (aware UTC): a token, an agent's work for one person, a party.

    Exactly one of `jti` and `party` is set; `sub` narrows what the party, an agent, does down to one person.
    """

    time: datetime
    jti: str | None = None
    party: str | None = None
    sub: str | None = None


def subject_of(ended: Ended, issuer: str) -> dict[str, Any]:
    """Return the subject identifier (`sub_id`) of what has ended."""
    if ended.jti is not None:
        return {"format": "jwt_id", "iss": issuer, "jti": ended.jti}
    party = {"format": "iss_sub", "iss": issuer, "sub": ended.party}
    if ended.sub is None:
        return party
    return {
        "format": "complex",
        "user": {"format": "iss_sub", "iss": issuer, "sub": ended.sub},
        "application": party,
    }


def signing_key_id(encoded: str) -> str:
    """Return the `kid` that a security event token names.

    Raises:
        InvalidSet: it is no JWT, or names none.
    """
    try:
        kid = jwt.get_unverified_header(encoded).get("kid")
    except (InvalidTokenError, ValueError, RecursionError) as error:
        raise InvalidSet("a security event token is no JWT") from error
    if not is_text(kid):
        raise InvalidSet("a security event token does not say which key signed it")
    return kid


def read_set(encoded: str, key: jwt.PyJWK, issuer: str, audience: str) -> Ended | None:
    """Return what a security event token says has ended; None if it is about something else.

    Raises:
        InvalidSet: its type, signature, issuer, audience or form is wrong.
    """
    try:
        decoded = jwt.decode_complete(
            encoded,
            key,
            algorithms=["ES256"],
            audience=audience,
            issuer=issuer,
            options={"require": ["iss", "aud", "iat", "jti"], "verify_iat": False},
        )
    except InvalidIssuerError as error:
        raise InvalidSet("a security event token is another issuer's", "invalid_issuer") from error
    except InvalidAudienceError as error:
        raise InvalidSet("a security event token is for another receiver", "invalid_audience") from error
    except (InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise InvalidSet(f"a security event token is not valid: {type(error).__name__}") from error
    if str(decoded["header"].get("typ")).lower() not in {TYP, f"application/{TYP}"}:
        raise InvalidSet("a security event token is of another type")
    claims = decoded["payload"]
    events = claims.get("events")
    if not isinstance(events, dict):
        raise InvalidSet("a security event token has no events")
    if not any(kind in events for kind in _ENDING):
        return None
    return _ended(claims.get("sub_id"), issuer, _time(claims))


def _time(claims: Mapping[str, Any]) -> datetime:
    """Return when it happened: `toe` (RFC 8417 §2.2), or else when it was told."""
    value = claims.get("toe", claims["iat"])
    if isinstance(value, bool):
        raise InvalidSet("a security event token does not say when it happened")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise InvalidSet("a security event token does not say when it happened") from error


def _ended(subject: object, issuer: str, time: datetime) -> Ended:
    if not isinstance(subject, dict):
        raise InvalidSet("a security event token has no subject")
    match subject.get("format"):
        case "jwt_id":
            return Ended(time, jti=_named(subject, "jti", issuer))
        case "iss_sub":
            return Ended(time, party=_named(subject, "sub", issuer))
        case "complex":
            return Ended(
                time,
                party=_named(subject.get("application"), "sub", issuer),
                sub=_named(subject.get("user"), "sub", issuer),
            )
    raise InvalidSet("a security event token's subject is of a format that is not known here")


def _named(subject: object, member: str, issuer: str) -> str:
    if not isinstance(subject, dict) or subject.get("iss") != issuer:
        raise InvalidSet("a security event token's subject is another issuer's, or malformed")
    value = subject.get(member)
    if not is_text(value):
        raise InvalidSet("a security event token's subject is malformed")
    return value
