"""A prepared statement does what SQLAlchemy would do with it, on each database, errors included."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, bindparam, column, func, literal_column, select, table, text
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, OperationalError, ProgrammingError

from delegation.database import open_database
from delegation.prepared import Prepared
from tests.delegation.databases import engine
from tests.postgres import Postgres, postgres

__all__ = ["engine", "postgres"]

_NUMBER = table("number", column("name"), column("value"))
_NAMED = Prepared(
    select(_NUMBER.c.name, func.coalesce(_NUMBER.c.value, literal_column("0")))
    .where(
        _NUMBER.c.name.between(bindparam("first"), bindparam("last")), _NUMBER.c.name != bindparam("first")
    )
    .order_by(_NUMBER.c.name)
)


@pytest.fixture
def numbers(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE number (name VARCHAR(8), value INTEGER)"))
        connection.execute(text("INSERT INTO number VALUES ('a', 1), ('b', NULL), ('c', 3), ('d', 4)"))
    return engine


def test_each_value_goes_where_its_name_stands_however_often_it_is_run(numbers: Engine) -> None:
    for _ in range(8):
        with numbers.begin() as connection:
            assert _NAMED.rows(connection, {"last": "c", "first": "a"}) == [("b", 0), ("c", 3)]
            assert _NAMED.rows(connection, {"first": "d", "last": "d"}) == []


def test_one_row_is_asked_for_where_there_is_one_at_most(numbers: Engine) -> None:
    with numbers.begin() as connection:
        assert _NAMED.row(connection, {"first": "b", "last": "c"}) == ("c", 3)
        assert _NAMED.row(connection, {"first": "d", "last": "d"}) is None
        with pytest.raises(MultipleResultsFound):
            _NAMED.row(connection, {"first": "a", "last": "c"})


def test_it_is_part_of_the_transaction(numbers: Engine) -> None:
    with numbers.connect() as connection:
        with connection.begin() as transaction:
            connection.execute(text("INSERT INTO number VALUES ('bb', 2)"))
            assert ("bb", 2) in _NAMED.rows(connection, {"first": "a", "last": "c"})
            transaction.rollback()
        with connection.begin():
            assert ("bb", 2) not in _NAMED.rows(connection, {"first": "a", "last": "c"})


def test_the_drivers_error_is_raised_as_sqlalchemys_and_tells_no_value(numbers: Engine) -> None:
    unknown = Prepared(
        select(column("nothing")).select_from(_NUMBER).where(column("x") == bindparam("secret"))
    )
    with numbers.connect() as connection, pytest.raises(DBAPIError) as raised:
        unknown.rows(connection, {"secret": "the customer's business"})
    assert isinstance(raised.value, OperationalError | ProgrammingError)
    assert "the customer's business" not in str(raised.value)


def test_a_connection_that_broke_is_given_up(postgres: Postgres, tmp_path: Path) -> None:
    engine = open_database(postgres.new_database(), tmp_path / "unused.db")
    backend = Prepared(select(func.pg_backend_pid()))
    with engine.connect() as connection, engine.connect() as other:
        [process] = backend.row(connection, {}) or (None,)
        other.execute(select(func.pg_terminate_backend(process)))
        with pytest.raises(DBAPIError) as raised:
            backend.row(connection, {})
        assert raised.value.connection_invalidated
        connection.rollback()
        assert backend.row(connection, {}) not in (None, (process,))
    engine.dispose()
