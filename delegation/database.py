"""A service's database: SQLite beside the service by default, PostgreSQL by its address."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
    inspect,
    make_url,
)
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.schema import CreateColumn

from delegation.ascii_json import ascii_json

_TIMEOUT_SECONDS: Final = 5
"""How long to wait for a connection, a lock or a statement, before the answer is that it cannot be had."""

_READING: Final = "only_reads"


def open_database(database_url: str, sqlite_file: Path) -> Engine:
    """Return the engine for `database_url`, or for `sqlite_file` when it is empty.

    Its errors name no value of a statement: a value may be the customer's business.

    Raises:
        ValueError: the address is neither PostgreSQL's nor SQLite's.
    """
    if not database_url:
        sqlite_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _sqlite(URL.create("sqlite", database=str(sqlite_file)))
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    if url.get_backend_name() == "postgresql":
        return _postgresql(url.set(drivername="postgresql+psycopg"))
    raise ValueError("DATABASE_URL must begin with postgresql:// or sqlite://")


def _sqlite(url: URL) -> Engine:
    """WAL mode with full durability; each transaction takes the write lock at once.

    So two writers wait for each other instead of failing half-way. Few connections: threads queue for one in
    turn, which is fairer than polling for the file's lock.
    """
    engine = create_engine(
        url.set(drivername=f"sqlite+{_OneWriter.driver}"),
        pool_size=4,
        max_overflow=0,
        pool_timeout=_TIMEOUT_SECONDS,
        pool_use_lifo=True,  # what another connection has written, this one has to read from the file again
        hide_parameters=True,
        json_serializer=ascii_json,
    )
    event.listen(engine, "connect", _configure_sqlite)
    return engine


class _OneWriter(SQLiteDialect_pysqlite):
    """SQLite, but for how a transaction begins. An event of the engine would make every statement slower."""

    driver = "one_writer"
    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - as SQLAlchemy has it
        """Begin a transaction, with the write lock unless it only reads."""
        only_reads = dbapi_connection.info.get(_READING)
        dbapi_connection.cursor().execute("BEGIN" if only_reads else "BEGIN IMMEDIATE")


registry.register(f"sqlite.{_OneWriter.driver}", __name__, _OneWriter.__name__)


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
    connection.isolation_level = None  # the dialect begins the transaction, not the driver
    busy_timeout = f"busy_timeout={_TIMEOUT_SECONDS * 1000}"
    for pragma in (busy_timeout, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that sees the database at one moment and keeps nobody waiting."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        about = connection.info
        about[_READING] = True
        try:
            transaction = connection.begin()
        finally:
            del about[_READING]  # this is about the driver's connection, which others use next
        with transaction:
            yield connection


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url,
        pool_size=20,
        max_overflow=0,
        pool_timeout=_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        pool_use_lifo=True,  # each connection has its own prepared statements
        connect_args={
            "connect_timeout": _TIMEOUT_SECONDS,
            "options": f"-c statement_timeout={_TIMEOUT_SECONDS * 1000}",
        },
        hide_parameters=True,
        json_serializer=ascii_json,
    )


def add_missing_columns(connection: Connection, metadata: MetaData) -> None:
    """Add the columns that a table from an earlier version lacks, and their indexes; its rows stay.

    `MetaData.create_all` makes missing tables and leaves those that are there as they are. This looks at
    these, in the caller's transaction; when several servers may start at once, the caller holds a lock.
    What rows say there is NULL. Defaults, types, constraints and columns that are there are not compared.

    Raises:
        ValueError: a missing column may not be NULL, or must be unique: then somebody has to say what stands
            in the rows that are there.
    """
    inspector = inspect(connection)
    for table in metadata.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        present = {column["name"] for column in inspector.get_columns(table.name)}
        missing = [column for column in table.columns if column.name not in present]
        for column in missing:
            if not column.nullable or column.unique:
                raise ValueError(f"{table.name}.{column.name} is missing and cannot be added to rows")
            name = connection.dialect.identifier_preparer.format_table(table)
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {definition}")
        for index in table.indexes:
            if not set(missing).isdisjoint(index.columns):
                index.create(connection)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; SQLite alone would give it back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return what writes a time: on SQLite the text of SQLAlchemy's own type, in a third of its time."""
        return _sqlite_time if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        """Refuse a time that does not say its zone."""
        return None if value is None else _in_utc(value)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        """Return the time as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a stored time must be aware")
    return value.astimezone(UTC)


def _sqlite_time(value: datetime | None) -> str | None:
    return None if value is None else _in_utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")
