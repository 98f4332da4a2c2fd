"""The database: SQLite in the data folder, or PostgreSQL. Every piece of work is one transaction."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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

    `prepare` is run before the first transaction, by one caller of all processes at a time; it must do nothing
    when its work is done already. A database that is down at the start is prepared when it is back.
    """

    def __init__(self, engine: Engine, prepare: Callable[[Connection], None]) -> None:
        self._engine = engine
        self._prepare = prepare
        self._prepared = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection in a transaction that commits at the end, or rolls back on any exception.

        On SQLite it holds the database's one write lock from its beginning (BEGIN IMMEDIATE).

        Raises:
            DatabaseUnavailable: the database cannot be worked with now.
        """
        try:
            if not self._prepared:
                self._prepare_first()
            with self._engine.begin() as connection:
                yield connection
        except (IntegrityError, DataError):
            raise  # our fault, and not the database's
        except (DBAPIError, PoolTimeout) as error:
            # Only the driver's words: the statement's values are the customer's business.
            _log.error("the database does not work: %s", str(getattr(error, "orig", error)).split("\n")[0])
            raise DatabaseUnavailable from error

    def dispose(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _prepare_first(self) -> None:
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            self._prepare(connection)
        self._prepared = True


def engine(database_url: str, data_dir: Path, timeout_seconds: float) -> Engine:
    """Return an engine for `database_url`, or for the SQLite file in `data_dir` if it is empty.

    Connecting, waiting for another transaction's lock and running a statement each end after the time-out.

    Raises:
        ValueError: the address is not one of SQLite or PostgreSQL.
    """
    url = make_url(database_url) if database_url else _sqlite_file(data_dir)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, timeout_seconds)
    if url.get_backend_name() == "postgresql":
        return _postgresql(url.set(drivername="postgresql+psycopg"), timeout_seconds)
    raise ValueError("DATABASE_URL must begin with postgresql:// or sqlite://")


def _sqlite_file(data_dir: Path) -> URL:
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return URL.create("sqlite", database=str(data_dir / "account_api.sqlite3"))


def _sqlite(url: URL, timeout_seconds: float) -> Engine:
    # Few connections: threads queue for one in turn, which is fairer than polling for the file's lock.
    made = create_engine(
        url,
        pool_size=4,
        max_overflow=0,
        pool_timeout=timeout_seconds,
        connect_args={"timeout": timeout_seconds},
        hide_parameters=True,
    )

    @event.listens_for(made, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection has no type
        connection.isolation_level = None  # the driver must not begin transactions of its own kind
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail when another one wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return made


def _postgresql(url: URL, timeout_seconds: float) -> Engine:
    milliseconds = round(timeout_seconds * 1000)
    return create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=20,
        max_overflow=0,
        pool_timeout=timeout_seconds,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": max(1, round(timeout_seconds)),
            "options": f"-c statement_timeout={milliseconds}",
        },
        hide_parameters=True,
    )
