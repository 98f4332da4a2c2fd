"""The records of authorization server, gateway and account API, read in their databases."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select

import account_api.tables
import auth_server.tables
import gateway.settings
import gateway.tables
from account_api.app import DATABASE_FILE
from delegation.database import open_database
from delegation.record_table import record_of

_BOOKS: Final = {
    "auth_server": ("auth_server.db", auth_server.tables.RECORD),
    "gateway": (gateway.settings.DATABASE_FILE, gateway.tables.record),
    "account_api": (DATABASE_FILE, account_api.tables.record),
}
_MOST_LOOKS, _BETWEEN_LOOKS_SECONDS = 1_000, 0.005


class Records:
    """The records since `begin`."""

    def __init__(self, data: Path) -> None:
        self._books = {
            name: (open_database("", data / name / file), table) for name, (file, table) in _BOOKS.items()
        }
        self._begin: dict[str, int] = {}

    def close(self) -> None:
        """Close the connections."""
        for engine, _ in self._books.values():
            engine.dispose()

    def begin(self) -> None:
        """Leave out what is there now."""
        for name, (engine, table) in self._books.items():
            with engine.connect() as db:
                self._begin[name] = db.scalar(select(func.max(table.c.id))) or 0

    def all(self) -> list[dict[str, Any]]:
        """Return every record, each service's oldest first, as JSON values."""
        found = []
        for name, (engine, table) in self._books.items():
            with engine.connect() as db:
                rows = db.execute(select(table).where(table.c.id > self._begin[name]).order_by(table.c.id))
                found += [record_of(dict(row)) for row in rows.mappings()]
        return found

    def wait_for_the_gateways(self, decision_ids: Iterable[str]) -> None:
        """Return when these are there: those of readings become durable shortly after the answer.

        Raises:
            TimeoutError: they do not come.
        """
        engine, table = self._books["gateway"]
        wanted = set(decision_ids)
        for _ in range(_MOST_LOOKS):
            with engine.connect() as db:
                found = select(table.c.decision_id).where(table.c.decision_id.in_(wanted))
                if set(db.scalars(found)) == wanted:
                    return
            time.sleep(_BETWEEN_LOOKS_SECONDS)
        raise TimeoutError("the gateway has not recorded what it decided")
