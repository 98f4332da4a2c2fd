"""The database of the gateway's records."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select, text

from delegation.database import add_missing_columns, reading
from delegation.record import Record
from delegation.record_table import append_records, locked_head
from gateway import tables

_ADVISORY_LOCK = 8503


class RecordStore:
    """Appends records. Its tables are made before the first transaction, whenever the database comes up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._prepared = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection in a transaction that commits at the end.

        Raises:
            SQLAlchemyError: the database does not work now.
        """
        self._prepare_once()
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that only reads, and that no decision waits for.

        Raises:
            SQLAlchemyError: the database does not work now.
        """
        self._prepare_once()
        with reading(self._engine) as connection:
            yield connection

    def append(self, records: Iterable[Record], *, again: bool = False) -> None:
        """Write records, all or none; of none, see whether any could be written.

        They are looked at when all that may have to be waited for is over. `again` leaves out those that are
        there: a connection that broke during a commit does not tell whether they are.

        Raises:
            SQLAlchemyError: nothing was written, unless the connection broke during the commit.
        """
        with self.transaction() as connection:
            locked_head(connection, tables.record)
            append_records(connection, tables.record, _missing(connection, records) if again else records)

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _prepare_once(self) -> None:
        if not self._prepared:
            with self._engine.begin() as connection:
                _prepare(connection)
            self._prepared = True


def _missing(connection: Connection, records: Iterable[Record]) -> list[Record]:
    column, listed = tables.record.c.decision_id, list(records)
    there = set(connection.scalars(select(column).where(column.in_([one.decision_id for one in listed]))))
    return [one for one in listed if one.decision_id not in there]


def _prepare(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # several gateways may start on one database
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    tables.metadata.create_all(connection)
    add_missing_columns(connection, tables.metadata)
