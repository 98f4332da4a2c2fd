"""Statements that are put together once and run by the driver itself, for what every call needs.

SQLAlchemy takes longer for a short statement than SQLite does.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Update
from sqlalchemy.exc import DBAPIError, MultipleResultsFound


class Prepared:
    """A statement whose values and columns the driver takes and gives as they are: texts and integers.

    What SQLAlchemy would convert, such as JSON and times, is not for this; nor are values within the
    statement: a number in it is a `literal_column`.
    """

    def __init__(self, statement: Select[Any] | Update) -> None:
        self._statement = statement
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
        """Run it in the connection's transaction, and return all rows.

        Raises:
            DBAPIError: the driver's error, as SQLAlchemy raises it.
        """
        dialect = connection.dialect
        text, names = self._made.get(dialect.name) or self._make(dialect)
        driver = dialect.loaded_dbapi
        cursor = connection.connection.cursor()
        try:
            cursor.execute(text, values if names is None else [values[name] for name in names])
            return cursor.fetchall()  # type: ignore[return-value] # PEP 249 has sequences, both drivers tuples
        except driver.Error as error:
            raise DBAPIError.instance(
                text, None, error, driver.Error, hide_parameters=True, dialect=dialect
            ) from error
        finally:
            cursor.close()

    def _make(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
        compiled = self._statement.compile(dialect=dialect)
        made = str(compiled), tuple(compiled.positiontup or ()) if compiled.positional else None
        self._made[dialect.name] = made
        return made
