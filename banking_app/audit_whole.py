"""All that a question finds, read page after page to be taken away."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from banking_app.audit_records import AuditRecord, Trace, traces
from banking_app.audit_source import MOST_AT_ONCE, AuditSource, Question, around
from banking_app.failures import Failure, SessionOver
from banking_app.parties import PARTIES

MOST_EXPORTED: Final = 10_000
"""So many records of each service are taken away at once at most."""


@dataclass(frozen=True, slots=True)
class Export:
    """All that a question finds, to be taken away, with the other records of the same traces.

    `cut` names the services of which there is more than `MOST_EXPORTED`: the newest are here. `lacking` is as
    in `Found`.
    """

    traces: tuple[Trace, ...]
    cut: tuple[str, ...]
    lacking: Mapping[str, str]

    @property
    def count(self) -> int:
        """Return how many records these are."""
        return sum(len(trace.records) for trace in self.traces)


def export(
    sources: Mapping[str, AuditSource], session_id: str, question: Question, most: int = MOST_EXPORTED
) -> Export:
    """Return all that the services find, up to `most` records of each, and the rest of the same traces.

    Raises:
        SessionOver: whoever asks has to sign on again.
    """
    reading = _Reading(sources, session_id, most)
    found = reading.all(question)
    if found and question.splits_traces:
        wanted = {record.trace_id for record in found}
        found += [record for record in reading.all(around(question, found)) if record.trace_id in wanted]
    return Export(traces(found), tuple(name for name in sources if name in reading.cut), reading.lacking)


class _Reading:
    def __init__(self, sources: Mapping[str, AuditSource], session_id: str, most: int) -> None:
        self._sources = sources
        self._session_id = session_id
        self._most = most
        self.cut: set[str] = set()
        self.lacking: dict[str, str] = {}

    def all(self, question: Question) -> list[AuditRecord]:
        """Return what every service finds. A service that fails on the way is named, what it gave is kept."""
        return [record for name in self._sources for record in self._of(name, question)]

    def _of(self, name: str, question: Question) -> list[AuditRecord]:
        found: list[AuditRecord] = []
        before: int | None = None
        try:
            while len(found) < self._most:
                limit = min(MOST_AT_ONCE, self._most - len(found))
                page, before = self._sources[name].newest(self._session_id, question, before, limit)
                found += page
                if before is None or not page:
                    return found
        except SessionOver:
            raise
        except Failure as failure:
            self.lacking[name] = f"{PARTIES[name]}: {failure.detail}"
            return found
        self.cut.add(name)
        return found
