"""Access tokens as types. Past the verifier there is no claims dictionary any more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeGuard

from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope

MAX_ACTOR_DEPTH: Final = 4
"""How many actors a chain may name: a bound on what a verifier has to read, not a limit of RFC 8693."""

_MAX_TEXT_LENGTH: Final = 512


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a claim's value is text of a length and of characters that every store and log can take.

    JSON can write half a character (a lone surrogate) and NUL; UTF-8 and PostgreSQL cannot.
    """
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT_LENGTH and value.isprintable()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the current actor, and behind it the actor that it was delegated by (RFC 8693 §4.1)."""

    sub: str
    act: "Actor | None" = None

    @property
    def chain(self) -> tuple[str, ...]:
        """Return every actor's identifier, the current one first."""
        return (self.sub, *(self.act.chain if self.act else ()))

    def as_claim(self) -> dict[str, Any]:
        """Return the value of the `act` claim."""
        return {"sub": self.sub} | ({"act": self.act.as_claim()} if self.act else {})

    @classmethod
    def from_claim(cls, claim: object, issuer: str, depth: int = 1) -> "Actor":
        """Read an `act` claim of a token of this issuer.

        RFC 8693 §4.1 gives `exp`, `nbf` and `aud` no meaning in here. An actor is who `iss` and `sub` name
        together: without `iss` it is the issuer's own name, and another issuer's is not known here.

        Raises:
            ValueError: not an object with a string `sub`, another issuer's actor, or more than
                `MAX_ACTOR_DEPTH` actors.
        """
        if depth > MAX_ACTOR_DEPTH:
            raise ValueError(f"act names more than {MAX_ACTOR_DEPTH} actors")
        if not isinstance(claim, dict):
            raise ValueError("act must be an object")
        sub = claim.get("sub")
        if not is_text(sub):
            raise ValueError("act must have a string sub")
        if claim.get("iss", issuer) != issuer:
            raise ValueError("act names an actor of another issuer")
        prior = cls.from_claim(claim["act"], issuer, depth + 1) if "act" in claim else None
        return cls(sub, prior)


@dataclass(frozen=True)
class AccessToken:
    """A verified JWT access token (RFC 9068 §2.2).

    Times are aware UTC. `may_act` is the actor that the subject allows (RFC 8693 §4.4), `account_transfer`
    what the token's `authorization_details` limit (RFC 9396 §9.1), None where it has none.
    """

    issuer: str
    subject: str
    audience: tuple[str, ...]
    client_id: str
    scope: Scope
    jti: str
    issued_at: datetime
    expires_at: datetime
    may_act: str | None = None
    account_transfer: AccountTransfer | None = None

    # Of a token that is remembered, what follows is asked for with every call.
    @cached_property
    def record_members(self) -> Mapping[str, Any]:
        """Return the members of a record that the token fills."""
        return {
            "sub": self.subject,
            "act": self.actors,
            "client_id": self.client_id,
            "aud": self.audience,
            "scope": str(self.scope),
            "jti": self.jti,
        }

    @cached_property
    def call_members(self) -> Mapping[str, Any]:
        """Return what a record's `call` says of the token: times in seconds since 1970, and its details."""
        times = {"iat": int(self.issued_at.timestamp()), "exp": int(self.expires_at.timestamp())}
        details = self.account_transfer.as_claim() if self.account_transfer else []
        return times | ({"authorization_details": details} if details else {})

    @cached_property
    def actors(self) -> tuple[str, ...]:
        """Return who acts for the subject, the current actor first; nobody here."""
        return ()


@dataclass(frozen=True, kw_only=True)
class DelegationToken(AccessToken):
    """An access token under which `act.sub` acts for `subject` (RFC 8693 §4.1)."""

    act: Actor

    @cached_property
    def actors(self) -> tuple[str, ...]:
        """Return who acts for the subject, the current actor first."""
        return self.act.chain
