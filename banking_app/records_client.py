"""The other services' own records of a customer: what they wrote, not what we think they did."""

from typing import Any, Final

import httpx2

from banking_app.audit_records import AuditRecord
from banking_app.chat_events import without_encoded_tokens
from banking_app.service_http import Document, Service

_PAGE: Final = 100


class _Records(Document):
    records: list[dict[str, Any]]


class _Page(Document):
    records: tuple[AuditRecord, ...]
    next: int | None = None


class RecordsClient:
    """Reads one service's records. `offered` is False where the service does not show any."""

    def __init__(self, name: str, endpoint: str, http: httpx2.Client) -> None:
        self._endpoint = endpoint
        self._service = Service(http, name, "Its records cannot be shown.")

    @property
    def offered(self) -> bool:
        """Whether this service shows customers its records."""
        return bool(self._endpoint)

    def of_trace(self, token: str, trace_id: str) -> list[dict[str, Any]]:
        """Return the customer's own records of this trace, oldest first.

        Raises:
            Failure: they cannot be had.
        """
        response = self._service.call("GET", self._endpoint, token, {"trace_id": trace_id})
        found = self._service.document(response, _Records)
        return [without_encoded_tokens(record) for record in found.records]

    def newest(self, token: str, before: int | None = None) -> tuple[tuple[AuditRecord, ...], int | None]:
        """Return what agents did for the customer, newest first, and from where there is more, if there is.

        Raises:
            Failure: it cannot be had.
        """
        asked: dict[str, str | int] = {"delegated": "true", "limit": _PAGE}
        if before is not None:
            asked["before"] = before
        page = self._service.document(self._service.call("GET", self._endpoint, token, asked), _Page)
        return page.records, page.next
