"""One service's records, for those who audit it: a question, and a page of the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import httpx2

from banking_app.audit_records import AuditRecord
from banking_app.failures import Refused
from banking_app.service_http import Document, Service

MOST_AT_ONCE: Final = 1000
_AROUND: Final = timedelta(minutes=10)
"""How long before and after a found record its trace is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a record must have; None asks for nothing. `since` is included, `until` is not (aware UTC)."""

    sub: str | None = None
    agent: str | None = None
    operation: str | None = None
    decision: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    trace_id: str | None = None

    def parameters(self) -> dict[str, str | int]:
        """Return it as the query parameters of `GET /audit`."""
        asked = {
            "sub": self.sub,
            "agent": self.agent,
            "operation": self.operation,
            "decision": self.decision,
            "from": self.since.isoformat() if self.since else None,
            "to": self.until.isoformat() if self.until else None,
            "trace_id": self.trace_id,
        }
        return {name: value for name, value in asked.items() if value is not None}

    @property
    def splits_traces(self) -> bool:
        """Whether a record can be found and another of its trace cannot."""
        return self.operation is not None or self.decision is not None


class _Page(Document):
    records: tuple[AuditRecord, ...]
    next: int | None = None


class AuditSource:
    """One service's records, for those who audit it. `token` gives what opens them, by session.

    `offered` is False where its setting is empty.
    """

    def __init__(self, name: str, endpoint: str, http: httpx2.Client, token: Callable[[str], str]) -> None:
        self._endpoint = endpoint
        self._service = Service(http, name, f"The records of the {name} cannot be shown.")
        self._token = token

    @property
    def offered(self) -> bool:
        """Whether this service shows its records."""
        return bool(self._endpoint)

    def newest(
        self, session_id: str, question: Question, before: int | None = None, limit: int = MOST_AT_ONCE
    ) -> tuple[tuple[AuditRecord, ...], int | None]:
        """Return records, newest first, and the position before which there are more, if there are.

        Raises:
            Failure: they cannot be had.
        """
        asked = question.parameters() | {"order": "newest", "limit": limit}
        if before is not None:
            asked["before"] = before
        try:
            token = self._token(session_id)
        except Refused as refused:
            raise Refused(
                "You get no token for these records; administrators and auditors do.", refused.hint
            ) from None
        response = self._service.call("GET", self._endpoint, token, asked)
        page = self._service.document(response, _Page)
        return page.records, page.next


def around(question: Question, records: Sequence[AuditRecord]) -> Question:
    """Return what to ask for the other records of the traces that were found."""
    times = [record.time for record in records]
    return Question(
        sub=question.sub,
        agent=question.agent,
        since=min(times) - _AROUND,
        until=max(times) + _AROUND,
        trace_id=question.trace_id,
    )
