"""How many decisions allowed something and how many refused it, over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from banking_app.audit_records import AuditRecord

_BY_HOUR_UP_TO = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Bin:
    """One hour or one day (UTC), with its decisions."""

    start: datetime
    allowed: int
    refused: int


def by_hour(records: Sequence[AuditRecord]) -> bool:
    """Return whether these records lie so close together that hours say more than days."""
    times = [record.time for record in records]
    return not times or max(times) - min(times) <= _BY_HOUR_UP_TO


def decision_history(records: Sequence[AuditRecord], at_least: int = 1) -> tuple[Bin, ...]:
    """Return the decisions by hour or by day, oldest first, those between without any included.

    Where there are fewer than `at_least` hours or days, empty ones before the first make up the number.
    """
    if not records:
        return ()
    hourly = by_hour(records)
    step = timedelta(hours=1) if hourly else timedelta(days=1)
    starts = [_start(record.time, hourly=hourly) for record in records]
    bins = []
    start = min(min(starts), max(starts) - (at_least - 1) * step)
    while start <= max(starts):
        decisions = [record.decision for record, at in zip(records, starts, strict=True) if at == start]
        bins.append(Bin(start, decisions.count("permit"), decisions.count("deny")))
        start += step
    return tuple(bins)


def _start(time: datetime, *, hourly: bool) -> datetime:
    hour = time.hour if hourly else 0
    return time.replace(hour=hour, minute=0, second=0, microsecond=0)
