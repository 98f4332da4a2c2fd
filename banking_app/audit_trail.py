"""One search over the records of the three services that decide: page by page, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from banking_app.audit_records import AuditRecord, Trace, traces
from banking_app.audit_source import MOST_AT_ONCE, AuditSource, Question, around
from banking_app.audit_whole import Export, export
from banking_app.failures import Failure, SessionOver
from banking_app.parties import PARTIES

_PAGE: Final = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found so far; `more` has the position to go on from, by service.

    `lacking` says, by service, why its records are not among them.
    """

    question: Question
    records: tuple[AuditRecord, ...] = ()
    related: tuple[AuditRecord, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def traces(self) -> tuple[Trace, ...]:
        """Return the traces up to where every service's records are known, newest first.

        Where a service has more, what is older than its last record waits for the next page; so may records
        of the last trace that is shown.
        """
        last = [self._oldest(service) for service in self.more]
        horizon = max(last) if last else None
        found = {record.trace_id for record in self.records if horizon is None or record.time >= horizon}
        known = (*self.records, *self.related)
        return traces(record for record in known if record.trace_id in found)

    def _oldest(self, service: str) -> datetime:
        of_service = [record.time for record in self.records if record.service == service]
        return min(of_service or [record.time for record in self.records])


class AuditTrail:
    """Searches all services at once. A service that fails is named, and the others' records are shown."""

    def __init__(self, sources: Mapping[str, AuditSource]) -> None:
        self._sources = {name: source for name, source in sources.items() if source.offered}
        self.not_offered = tuple(name for name in sources if name not in self._sources)

    @property
    def offered(self) -> bool:
        """Whether any service shows its records."""
        return bool(self._sources)

    def only(self, name: str) -> "AuditTrail":
        """Return the same over the records of one service, for those who are shown no others."""
        return AuditTrail({each: source for each, source in self._sources.items() if each == name})

    def search(self, session_id: str, question: Question, limit: int = _PAGE) -> Found:
        """Return the first page."""
        return self._page(session_id, Found(question), dict.fromkeys(self._sources), limit)

    def go_on(self, session_id: str, found: Found, limit: int = _PAGE) -> Found:
        """Return what was found with the next page behind it."""
        return self._page(session_id, found, found.more, limit)

    def export(self, session_id: str, question: Question) -> Export:
        """Return everything that is found, page after page, and not only what has been looked at."""
        return export(self._sources, session_id, question)

    def permissions(self, session_id: str, question: Question) -> tuple[AuditRecord, ...]:
        """Return when customers gave or changed what they allow, newest first; none where it is unknown."""
        source = self._sources.get("auth_server")
        if source is None:
            return ()
        asked = Question(sub=question.sub, agent=question.agent, operation="grant.give", decision="permit")
        try:
            return source.newest(session_id, asked, limit=MOST_AT_ONCE)[0]
        except Failure:
            return ()

    def _page(self, session_id: str, found: Found, start: Mapping[str, int | None], limit: int) -> Found:
        records, more, lacking = list(found.records), dict[str, int](), dict(found.lacking)
        for name, before in start.items():
            try:
                page, following = self._sources[name].newest(session_id, found.question, before, limit)
            except SessionOver:
                raise
            except Failure as failure:
                lacking[name] = f"{PARTIES[name]}: {failure.detail}"
                continue
            records += page
            if following is not None and page:
                more[name] = following
        found = replace(found, records=tuple(records), more=more, lacking=lacking)
        return replace(found, related=self._related(session_id, found))

    def _related(self, session_id: str, found: Found) -> tuple[AuditRecord, ...]:
        """Return the other records of the traces that were found, where the question leaves some out."""
        if not found.records or not found.question.splits_traces:
            return ()
        asked = around(found.question, found.records)
        wanted = {record.trace_id for record in found.records}
        related: list[AuditRecord] = []
        for name, source in self._sources.items():
            if name in found.lacking:
                continue
            try:
                page, _ = source.newest(session_id, asked, limit=MOST_AT_ONCE)
            except Failure:
                continue
            related += [record for record in page if record.trace_id in wanted]
        return tuple(related)


def allowed_by(trace: Trace, permissions: tuple[AuditRecord, ...]) -> AuditRecord | None:
    """Return the record of the customer's consent under which the agent acted, if it is among these."""
    return next(
        (
            given
            for given in permissions
            if given.sub == trace.sub and given.actor == trace.actor and given.time <= trace.newest
        ),
        None,
    )
