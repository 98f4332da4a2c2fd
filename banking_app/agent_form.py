"""A new agent as it is typed into a form, and as the administration API takes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_SECONDS = 300
"""The longest that any agent's tokens live."""


class Faults(Exception):
    """What was typed cannot be sent. `said` has a sentence for each fault."""

    def __init__(self, said: Sequence[str]) -> None:
        super().__init__("; ".join(said))
        self.said = tuple(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentForm:
    """The fields as typed. `largest_transfer` is in major currency units.

    `customers` and `groups` are one to a line.
    """

    agent_id: str
    name: str
    purpose: str
    owner: str
    owner_sub: str
    jwks_uri: str
    jwks: str
    audience: str
    scopes: Sequence[str]
    max_seconds: int
    largest_transfer: str
    customers: str
    groups: str
    draft: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return the body of the registration. Whether its values are right, the API decides.

        Raises:
            Faults: a field is empty that must not be, or cannot be read.
        """
        faults: list[str] = []
        needed = {
            "Identifier": self.agent_id,
            "Name": self.name,
            "Purpose": self.purpose,
            "Who runs it": self.owner,
            "Audience": self.audience,
        }
        faults += [f"{label} is missing." for label, value in needed.items() if not value.strip()]
        if not self.scopes:
            faults.append("Choose at least one permission.")
        if bool(self.jwks_uri.strip()) == bool(self.jwks.strip()):
            faults.append("Give either the address of its keys or the keys themselves.")
        keys = _keys(self.jwks, faults)
        largest = _minor_units(self.largest_transfer, faults)
        if faults:
            raise Faults(faults)
        optional = {
            "owner_sub": self.owner_sub.strip(),
            "jwks_uri": self.jwks_uri.strip(),
            "jwks": keys,
            "customers": _lines(self.customers),
            "groups": _lines(self.groups),
            "max_transfer_minor": largest,
        }
        return {
            "agent_id": self.agent_id.strip(),
            "name": self.name.strip(),
            "purpose": " ".join(self.purpose.split()),
            "owner": self.owner.strip(),
            "scopes": {self.audience.strip(): list(self.scopes)},
            "max_seconds": self.max_seconds,
            "draft": self.draft,
            "reason": " ".join(self.reason.split()),
        } | {name: value for name, value in optional.items() if value}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _keys(text: str, faults: list[str]) -> list[Any]:
    """Return the keys of a JWK or a JWK set (RFC 7517 §4, §5)."""
    if not text.strip():
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        faults.append("The keys are no JSON: paste a JWK or a JWK set.")
        return []
    keys = found.get("keys", [found]) if isinstance(found, dict) else None
    if not isinstance(keys, list) or not keys:
        faults.append("The keys are neither a JWK nor a JWK set.")
        return []
    return keys


def _minor_units(text: str, faults: list[str]) -> int | None:
    if not text.strip():
        return None
    try:
        minor = Decimal(text.strip()) * 100
    except InvalidOperation:
        minor = Decimal("NaN")
    if not minor.is_finite() or minor != minor.to_integral_value() or not 1 <= minor < 2**53:
        faults.append("The largest transfer must be an amount above zero, like 250.00.")
        return None
    return int(minor)
