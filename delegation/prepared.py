"""Statements that are put together once and run by the driver itself, for what every call needs.

SQLAlchemy takes longer for a short statement than SQLite does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError, MultipleResultsFound

Result = TypeVar("Result")


class Prepared:
    """A statement whose values and columns the driver takes and gives as they are: texts and integers.

    What SQLAlchemy would convert, such as JSON and times, is not for this; nor are values within the
    statement: a number in it is a `literal_column`.
    """

    def __init__(
        self, statement: Select[Any] | Insert | Update, columns: Sequence[str] | None = None
    ) -> None:
        """`columns` are those that an INSERT gives."""
        self._statement = statement
        self._columns = columns
        self._made: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def row(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run it in the connection's transaction, and return the one row, or None if there is none.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
            MultipleResultsFound: there are more.
        """
        found = self.rows(connection, values)
        if len(found) > 1:
            raise MultipleResultsFound("there is more than one row where one was expected")
        return found[0] if found else None

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run it in the connection's transaction, which has begun, and return all rows.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
        """
        return self._with_cursor(connection, [values], _all_rows)

    def run(self, connection: Connection, *values: Mapping[str, Any]) -> None:
        """Run it in the connection's transaction, once with each of these.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
        """
        self._with_cursor(connection, values, _nothing)

    def _with_cursor(
        self, connection: Connection, values: Sequence[Mapping[str, Any]], read: Callable[[Any], Result]
    ) -> Result:
        dialect = connection.dialect
        text, names = self._made.get(dialect.name) or self._make(dialect)
        parameters = values if names is None else [[each[name] for name in names] for each in values]
        driver = dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            if len(parameters) == 1:
                cursor.execute(text, parameters[0])
            else:
                cursor.executemany(text, parameters)
            return read(cursor)
        except driver.Error as error:
            is_gone = dialect.is_disconnect(error, connection.connection.driver_connection, cursor)
            if is_gone:
                connection.invalidate(error)
            raise DBAPIError.instance(
                text,
                None,
                error,
                driver.Error,
                hide_parameters=True,
                connection_invalidated=is_gone,
                dialect=dialect,
            ) from error
        finally:
            cursor.close()

    def _make(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        made = str(compiled), tuple(compiled.positiontup or ()) if compiled.positional else None
        self._made[dialect.name] = made
        return made


def _all_rows(cursor: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - the driver's own
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _nothing(_cursor: object) -> None:
    """Leave alone what there is to read."""
