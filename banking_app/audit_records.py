"""Records of the services as the pages show them: each decision, and all of one trace together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from banking_app.parties import PARTIES
from banking_app.service_http import Document

_STAGES: Final = {"gateway": "Decision", "account_api": "Execution"}
_STAGES_OF_OPERATIONS: Final = {"token.exchange": "Issuance", "grant.give": "Consent"}
"""What a record stands for in the documented flow: by its service, or by its operation."""


class AuditRecord(Document):
    """One decision of one service, as `delegation.record` writes it. Every text in it is data."""

    service: str
    step: int
    decision: Literal["permit", "deny"]
    reason: str
    operation: str
    resource: str | None = None
    sub: str | None = None
    act: tuple[str, ...] = ()
    client_id: str | None = None
    aud: tuple[str, ...] = ()
    scope: str = ""
    jti: str | None = None
    decision_id: str
    trace_id: str
    time: datetime
    position: int | None = None
    hash: str | None = None

    @property
    def actor(self) -> str | None:
        """Return who acted for `sub`, None where nobody did."""
        return self.act[0] if self.act else None

    @property
    def stage(self) -> str:
        """Return what this record stands for."""
        by_operation = _STAGES_OF_OPERATIONS.get(self.operation)
        return _STAGES.get(self.service) or by_operation or PARTIES.get(self.service, self.service)


@dataclass(frozen=True, slots=True)
class Trace:
    """All records of one trace, in the order in which they were made."""

    records: tuple[AuditRecord, ...]

    @property
    def trace_id(self) -> str:
        """Return the W3C trace id."""
        return self.records[0].trace_id

    @property
    def newest(self) -> datetime:
        """Return when the last decision fell."""
        return max(record.time for record in self.records)

    @property
    def sub(self) -> str | None:
        """Return for whom it was, if anybody is named. The agent's own token on the way is for nobody."""
        return next((record.sub for record in self._acts if record.sub), None)

    @property
    def actor(self) -> str | None:
        """Return the agent that acted, if one did."""
        return next((record.actor for record in self.records if record.actor), None)

    @property
    def operations(self) -> tuple[str, ...]:
        """Return what was done, each thing once: by the agent if one acted, at the resource if it got in."""
        carried_out = [record.operation for record in self._acts if record.service != "auth_server"]
        return tuple(dict.fromkeys(carried_out or [record.operation for record in self._acts]))

    @property
    def _acts(self) -> Sequence[AuditRecord]:
        """Return the records in which an agent acted, or all where none did."""
        return [record for record in self.records if record.actor] or self.records

    @property
    def decision(self) -> str:
        """Return `deny` if anything was refused."""
        return "deny" if any(record.decision == "deny" for record in self.records) else "permit"


def traces(records: Iterable[AuditRecord]) -> tuple[Trace, ...]:
    """Return the records by trace, each record once, the trace with the newest record first."""
    once = {record.decision_id: record for record in records}
    grouped: dict[str, list[AuditRecord]] = {}
    for record in sorted(once.values(), key=lambda each: (each.time, each.step)):
        grouped.setdefault(record.trace_id, []).append(record)
    found = (Trace(tuple(of_trace)) for of_trace in grouped.values())
    return tuple(sorted(found, key=lambda trace: trace.newest, reverse=True))
