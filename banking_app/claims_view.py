"""A token's claims, decoded and explained line by line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeGuard

_NOTES: Final = {
    "sub": "the customer: for whom",
    "act": "the current actor: who acts",
    "may_act": "the assistant that you allowed to act",
    "aud": "the only place where it is good",
    "scope": "all that it allows",
    "authorization_details": "what it limits further: the largest transfer, in minor units",
    "exp": "how long it lives",
    "iss": "who issued it",
    "client_id": "the client that asked for it",
    "jti": "its number, found again in the records",
    "auth_time": "when you gave your password",
}
_ACTOR_NOTE: Final = "the assistant itself: who asks"
_POINTED_OUT: Final = ("sub", "act", "may_act", "aud", "scope", "authorization_details", "exp")
_TIMES: Final = frozenset({"iat", "exp", "nbf", "auth_time"})


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """One claim: its value as text, and what it means."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class ClaimTable:
    """A token's claims: the telling ones, and the others. `of_actor`: its subject is the agent itself."""

    caption: str
    told: tuple[ClaimLine, ...]
    others: tuple[ClaimLine, ...]
    of_actor: bool


def claim_table(
    caption: str, claims: Mapping[str, Any], seen_at: datetime, *, of_actor: bool = False
) -> ClaimTable:
    """Explain a token's claims as they stood at `seen_at`, from which the remaining life is counted."""
    told = [_line(name, claims, seen_at) for name in _POINTED_OUT if claims.get(name)]
    others = [_line(name, claims, seen_at) for name in claims if name not in _POINTED_OUT]
    if of_actor:
        told = [replace(line, note=_ACTOR_NOTE) if line.name == "sub" else line for line in told]
    return ClaimTable(caption, tuple(told), tuple(others), of_actor)


def remaining_seconds(claims: Mapping[str, Any], seen_at: datetime) -> int | None:
    """Return how many seconds the token had left at `seen_at`; None when it does not say."""
    expires_at = claims.get("exp")
    if not _is_time(expires_at):
        return None
    return max(0, int(expires_at - seen_at.timestamp()))


def _line(name: str, claims: Mapping[str, Any], seen_at: datetime) -> ClaimLine:
    value = claims[name]
    if name == "exp" and (left := remaining_seconds(claims, seen_at)) is not None:
        issued_at = claims.get("iat")
        life = f"{int(value) - int(issued_at)} s in all, " if _is_time(issued_at) else ""
        rest = f"{left} s left at this step" if left else "over at this step"
        return ClaimLine(name, _as_text(name, value), life + rest)
    return ClaimLine(name, _as_text(name, value), _NOTES.get(name, ""))


def _as_text(name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if name in _TIMES and _is_time(value):
        return datetime.fromtimestamp(value, UTC).strftime("%H:%M:%S UTC")
    if name in {"act", "may_act"} and isinstance(value, Mapping):
        return _chain(value)
    if name == "authorization_details":
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return str(value)


def _chain(actor: Mapping[str, Any]) -> str:
    """Return the actor chain, the current actor first (RFC 8693 §4.1)."""
    prior = actor.get("act")
    own = str(actor.get("sub", "?"))
    return f"{own}, delegated by {_chain(prior)}" if isinstance(prior, Mapping) else own


def _is_time(value: object) -> TypeGuard[int | float]:
    # datetime stands for the years 1 to 9999; a claim can hold any number.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 253_402_300_800
