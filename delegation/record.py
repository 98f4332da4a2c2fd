"""The audit record: every permit and every deny, in every service, in one shape."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

import orjson

from delegation.ascii_json import ascii_json
from delegation.clock import utc_now
from delegation.random_ids import ordered_id
from delegation.record_chain import canonical, present
from delegation.token import AccessToken
from delegation.trace import current_trace_id

Decision = Literal["permit", "deny"]
OPTIONAL: Final = frozenset({"policy_version", "call"})
"""The members that a record of no policy's decision does not have."""


def written(time: datetime) -> str:
    """Return a time as a record has it: ISO 8601, always of the same length."""
    return time.isoformat(timespec="microseconds")


# Not frozen: one is made for every call, and that takes four times as long where it is.
@dataclass(kw_only=True)
class Record:
    """One decision: who asked for what under whose authority, and what was answered. It never changes.

    `step` is the number of the documented flow, 1 to 6. `act` is the actor chain, the current actor first.
    `resource` is what the operation touched, e.g. a path. `policy_version` names the policy that decided, and
    `call` holds what it looked at beyond the other members (texts, integers, booleans, lists and objects of
    them); both are None, and left out, where no policy decided. Nothing in here is ever a token, a password,
    a key or a message text.
    """

    service: str
    step: int
    decision: Decision
    reason: str
    operation: str
    resource: str | None = None
    sub: str | None = None
    act: tuple[str, ...] = ()
    client_id: str | None = None
    aud: tuple[str, ...] = ()
    scope: str = ""
    jti: str | None = None
    decision_id: str = field(default_factory=ordered_id)
    trace_id: str = field(default_factory=current_trace_id)
    time: datetime = field(default_factory=utc_now)
    policy_version: str | None = None
    call: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON values, the same dictionary each time; the time is ISO 8601 in UTC."""
        return self._values

    @property
    def canonical(self) -> bytes:
        """Return the record as its link in the chain holds it, in the one canonical form."""
        members = present(self._values)
        try:
            return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # an integer of more than 64 bits
            return canonical(members)

    def line(self) -> str:
        """Return the record as JSON without a line break, in ASCII, its members always in one order."""
        return ascii_json(self._values)

    @cached_property
    def _values(self) -> dict[str, Any]:
        members = vars(self)  # nothing else is kept here yet
        values = members | {"time": written(self.time), "act": list(self.act), "aud": list(self.aud)}
        for name in OPTIONAL:
            if values[name] is None:
                del values[name]
        return values


def of_token(token: AccessToken | None) -> dict[str, Any]:
    """Return the record's fields that a verified token fills; none for None."""
    return dict(token.record_members) if token is not None else {}


def print_record(record: Record) -> None:
    """Write the record to standard output as one JSON line."""
    print_records([record])


def print_records(records: Iterable[Record]) -> None:
    """Write records to standard output, each as one JSON line."""
    # One write, so that lines of concurrent writers do not mix.
    sys.stdout.write("".join([f"{record.line()}\n" for record in records]))
    sys.stdout.flush()
