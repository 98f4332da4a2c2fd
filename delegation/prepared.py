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
from sqlalchemy.exc import DBAPIError, MultipleResultsFound
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
Row = Any
"""A tuple; a named one where a statement says which columns it returns."""
_Process = Callable[[Any], Any]


def among(column: Column[Any], name: str, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has one of the texts in a list: one statement for every length."""
    if dialect.name == "sqlite":
        each = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(name, type_=ARRAY(String)))


class Prepared:
    """A statement, which has no values within: a number in it is a `literal_column`.

    It runs in the connection's transaction, which has begun.
    """

    def __init__(
        self, statement: Executable, returned: Iterable[Column[Any]] = (), sets: Sequence[str] | None = None
    ) -> None:
        """`returned` are the columns of its rows, without which they come as the driver has them.

        `sets` are the columns that an INSERT has values for.
        """
        self._statement = statement
        self._returned = list(returned)
        self._sets = sets
        self._made: dict[str, _Made] = {}

    def rows(self, connection: Connection, values: Values) -> list[Row]:
        """Run it, and return its rows.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
        """
        return self.rows_for_each(connection, [values])

    def row(self, connection: Connection, values: Values) -> Row | None:
        """Run it, and return the one row, or None if there is none.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
            MultipleResultsFound: there are more.
        """
        found = self.rows(connection, values)
        if len(found) > 1:
            raise MultipleResultsFound("there is more than one row where one was expected")
        return found[0] if found else None

    def rows_for_each(self, connection: Connection, asked: Iterable[Values]) -> list[Row]:
        """Run it for one after the other, and return the rows of all.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
        """
        made = self.made(connection.dialect)
        with _errors(connection):
            return [row for values in asked for row in made.fetched(made.started(connection, values))]

    def run(self, connection: Connection, *rows: Values) -> None:
        """Run it for each of these, in one go; there is nothing to return.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
        """
        made = self.made(connection.dialect)
        with _errors(connection):
            if len(rows) == 1:
                made.started(connection, rows[0])
            else:
                connection.connection.cursor().executemany(made.text, [made.driven(row) for row in rows])

    def made(self, dialect: Dialect) -> "_Made":
        """Return it as the driver of this dialect takes it."""
        found = self._made.get(dialect.name)
        if found is None:
            found = self._made[dialect.name] = _Made(self._statement, dialect, self._returned, self._sets)
        return found


def rows_of_each(connection: Connection, *asked: tuple[Prepared, Values]) -> list[list[Row]]:
    """Run several statements in this order, and return the rows of each: PostgreSQL is asked once for all.

    Raises:
        DBAPIError: the driver's error, as SQLAlchemy raises it.
    """
    every = [(one.made(connection.dialect), values) for one, values in asked]
    with _errors(connection), _asked_at_once(connection):
        started = [made.started(connection, values) for made, values in every]
        return [made.fetched(cursor) for (made, _), cursor in zip(every, started, strict=True)]


class _Made:
    """A statement's text for one driver, and how values and columns are converted for it."""

    def __init__(
        self,
        statement: Executable,
        dialect: Dialect,
        returned: Sequence[Column[Any]],
        sets: Sequence[str] | None,
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=sets)  # type: ignore[attr-defined]
        self.text = str(compiled)
        bound = {name: _binding(one.type, dialect) for name, one in compiled.binds.items()}
        self._positional = compiled.positional
        self._taken = [(name, bound[name]) for name in (compiled.positiontup if self._positional else bound)]
        names = [column.name for column in returned]
        named: Any = namedtuple("Row", names) if names else None
        self._row: _Process = named._make if named else tuple
        self._read = [
            (place, process)
            for place, column in enumerate(returned)
            if (process := _reading(column.type, dialect))
        ]

    def started(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 - the driver's own
        cursor = connection.connection.cursor()
        cursor.execute(self.text, self.driven(values))
        return cursor

    def fetched(self, cursor: Any) -> list[Row]:  # noqa: ANN401 - the driver's own
        if not self._read:
            return [self._row(row) for row in cursor.fetchall()]
        found = []
        for row in map(list, cursor.fetchall()):
            for place, process in self._read:
                row[place] = process(row[place])
            found.append(self._row(row))
        return found

    def driven(self, values: Values) -> Any:  # noqa: ANN401 - a mapping or a list, as the driver has it
        if self._positional:
            return [process(values[name]) if process else values[name] for name, process in self._taken]
        return {name: process(values[name]) if process else values[name] for name, process in self._taken}


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
