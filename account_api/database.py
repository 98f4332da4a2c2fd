"""The database as the service works with it: every piece of work is one transaction."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from delegation.database import reading

_TURN_SECONDS: Final = 5
"""How long to wait for our own other transactions, before the answer is that the database cannot be had."""
_ADVISORY_LOCK: Final = 4_001_850_501
"""Any number that no other program takes on this PostgreSQL database."""

_log = logging.getLogger(__name__)


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is locked for too long, or cannot write.

    Nothing was booked or recorded, unless the connection broke during the commit: then a repeat with the same
    Idempotency-Key finds out.
    """


class Database:
    """Gives transactions on a database whose tables and first content are there.

    `prepare` is run before the first transaction, by one process at a time; it must do nothing when its work
    is done already. A database that is down at the start is prepared when it is back.
    """

    def __init__(self, engine: Engine, prepare: Callable[[Connection], None]) -> None:
        self._engine = engine
        if engine.dialect.name == "postgresql":
            # A sum that is read after a lock must see what the lock waited for: no older snapshot.
            self._engine = engine.execution_options(isolation_level="READ COMMITTED")
        # SQLite has one writer at a time, and who polls for that may wait long: our own threads do not.
        self._turn = Lock() if engine.dialect.name == "sqlite" else None
        self._writer: Connection | None = None
        self._prepare = prepare
        self._prepared = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection in a transaction that commits at the end, or rolls back on any exception.

        On SQLite it holds the database's one write lock from its beginning (BEGIN IMMEDIATE), and this
        process's transactions wait for each other in turn.

        Raises:
            DatabaseUnavailable: the database cannot be worked with now.
        """
        with self._working(), self._writing() as connection, connection.begin():
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that only reads, and that no booking waits for.

        Raises:
            DatabaseUnavailable: the database cannot be worked with now.
        """
        with self._working(), reading(self._engine) as connection:
            yield connection

    def dispose(self) -> None:
        """Close the connections."""
        self._close_writer()
        self._engine.dispose()

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            if not self._prepared:
                self._prepare_first()
            yield
        except (IntegrityError, DataError):
            raise  # our fault, and not the database's
        except (DBAPIError, PoolTimeout) as error:
            # Only the driver's words: the statement's values are the customer's business.
            _log.error("the database does not work: %s", str(getattr(error, "orig", error)).split("\n")[0])
            raise DatabaseUnavailable from error

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give a connection of the pool's, or on SQLite in turn the one that is kept for this."""
        if self._turn is None:
            with self._engine.connect() as connection:
                yield connection
            return
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise PoolTimeout("another transaction has not ended in time")
        try:
            self._writer = self._writer or self._engine.connect()
            yield self._writer
        except BaseException:
            self._close_writer()
            raise
        finally:
            self._turn.release()

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None  # even if it does not close, it is not used again
        if writer is not None:
            writer.close()

    def _prepare_first(self) -> None:
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            self._prepare(connection)
        self._prepared = True
