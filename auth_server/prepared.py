"""Statements that are compiled once, and run by the database's driver itself.

SQLAlchemy's way through a statement takes several times as long as SQLite needs for it. The texts, names and
types are SQLAlchemy's all the same, and so are the errors.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    String,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Parameters = Mapping[str, Any]
Row = Any
"""A named tuple of the columns that a statement returns."""
_Process = Callable[[Any], Any]


def among(column: Column[Any], name: str, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has one of the texts in a list: one statement for every length."""
    if dialect.name == "sqlite":
        each = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(name, type_=ARRAY(String)))


class Prepared:
    """A statement for one dialect.

    Args:
        returned: the columns of the rows that it gives, if it gives any.
        sets: the columns that an INSERT has values for.
    """

    def __init__(
        self,
        statement: Executable,
        dialect: Dialect,
        returned: Iterable[Column[Any]] = (),
        sets: Sequence[str] | None = None,
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=sets)  # type: ignore[attr-defined]
        self._text = str(compiled)
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        types = {name: bound.type for name, bound in compiled.binds.items()}
        self._bound = {
            name: process for name, type_ in types.items() if (process := _binding(type_, dialect))
        }
        columns = list(returned)
        self._row: Any = namedtuple("Row", [column.name for column in columns]) if columns else None
        self._read = [
            (place, process)
            for place, column in enumerate(columns)
            if (process := _reading(column.type, dialect))
        ]

    def rows(self, connection: Connection, parameters: Parameters) -> list[Row]:
        """Run it once, and return its rows as named tuples.

        Raises:
            DBAPIError: as SQLAlchemy itself has it.
        """
        with _errors(connection):
            return self._fetched(self._started(connection, parameters))

    def rows_for_each(self, connection: Connection, asked: Iterable[Parameters]) -> list[Row]:
        """Run it for one after the other, and return the rows of all.

        Raises:
            DBAPIError: as SQLAlchemy itself has it.
        """
        with _errors(connection):
            return [row for one in asked for row in self._fetched(self._started(connection, one))]

    def many(self, connection: Connection, rows: Iterable[Parameters]) -> None:
        """Run it for each of these, in one go.

        Raises:
            DBAPIError: as SQLAlchemy itself has it.
        """
        with _errors(connection):
            connection.connection.cursor().executemany(self._text, [self._driven(row) for row in rows])

    def _started(self, connection: Connection, parameters: Parameters) -> Any:
        cursor = connection.connection.cursor()
        cursor.execute(self._text, self._driven(parameters))
        return cursor

    def _fetched(self, cursor: Any) -> list[Row]:
        if not self._read:
            return [self._row._make(row) for row in cursor.fetchall()]
        found = []
        for row in map(list, cursor.fetchall()):
            for place, process in self._read:
                row[place] = process(row[place])
            found.append(self._row._make(row))
        return found

    def _driven(self, parameters: Parameters) -> Any:
        values = dict(parameters)
        for name, process in self._bound.items():
            values[name] = process(values[name])
        return values if self._order is None else [values[name] for name in self._order]


def rows_of_each(connection: Connection, *asked: tuple[Prepared, Parameters]) -> list[list[Row]]:
    """Run several statements in this order, and return the rows of each: PostgreSQL is asked once for all.

    Raises:
        DBAPIError: as SQLAlchemy itself has it.
    """
    with _errors(connection), _asked_at_once(connection):
        started = [one._started(connection, parameters) for one, parameters in asked]
        return [one._fetched(cursor) for (one, _), cursor in zip(asked, started, strict=True)]


def _asked_at_once(connection: Connection) -> AbstractContextManager[object]:
    driver: Any = connection.connection.driver_connection
    return driver.pipeline() if connection.dialect.name == "postgresql" else nullcontext()


@contextmanager
def _errors(connection: Connection) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy's."""
    dialect, driver = connection.dialect, connection.connection
    error_class = dialect.loaded_dbapi.Error
    try:
        yield
    except error_class as error:
        is_gone = dialect.is_disconnect(error, driver.driver_connection, None)
        if is_gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None,
            None,
            error,
            error_class,
            hide_parameters=True,
            connection_invalidated=is_gone,
            dialect=dialect,
        ) from error


def _binding(type_: TypeEngine[Any], dialect: Dialect) -> _Process | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _reading(type_: TypeEngine[Any], dialect: Dialect) -> _Process | None:
    return type_.dialect_impl(dialect).result_processor(dialect, None)
