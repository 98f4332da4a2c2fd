"""A database from an earlier version gets the columns that it lacks, and keeps its rows, on each database."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import StatementError

from delegation.database import UtcDateTime, add_missing_columns
from tests.delegation.databases import engine
from tests.postgres import postgres

__all__ = ["engine", "postgres"]


def account(metadata: MetaData, *more: Column[Any]) -> Table:
    """The table `account` of a version that knows these columns beside the first two."""
    return Table(
        "account", metadata, Column("id", Integer, primary_key=True), Column("name", String(20)), *more
    )


@pytest.mark.parametrize("microsecond", [0, 20, 999_999])
def test_a_time_is_written_as_sqlalchemy_writes_it_and_read_back_in_utc(
    engine: Engine, microsecond: int
) -> None:
    at = datetime(2026, 3, 1, 1, 2, 3, microsecond, tzinfo=timezone(timedelta(hours=2)))
    table = account(
        metadata := MetaData(), Column("at", UtcDateTime), Column("theirs", DateTime(timezone=True))
    )
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(table.insert().values(id=1, at=at, theirs=at.astimezone(UTC)))
        ours, theirs = connection.exec_driver_sql("SELECT at, theirs FROM account").one()
        assert ours == theirs
        read = connection.scalars(select(table.c.at)).one()
    assert (read, read.tzinfo) == (at, UTC)
    naive = at.replace(tzinfo=None)
    with pytest.raises((ValueError, StatementError), match="aware"), engine.begin() as connection:
        connection.execute(table.insert().values(id=2, at=naive))


def earlier_version(engine: Engine) -> None:
    """Make the table as the earlier version has it, with a row."""
    table = account(metadata := MetaData())
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(table.insert().values(id=1, name="kept"))


def test_missing_columns_are_added_with_their_index_and_the_rows_stay(engine: Engine) -> None:
    earlier_version(engine)
    table = account(
        metadata := MetaData(),
        Column("closed_at", UtcDateTime),
        Column("group", String(8), index=True),  # a word of SQL's own
        Column("tags", JSON(none_as_null=True)),
    )
    for _ in range(2):  # the second start finds nothing to do
        with engine.begin() as connection:
            metadata.create_all(connection)
            add_missing_columns(connection, metadata)
    with engine.begin() as connection:
        assert connection.execute(select(table)).one() == (1, "kept", None, None, None)
        connection.execute(table.insert().values(id=2, name="new", group="a", tags=["x"]))
        assert connection.scalar(select(table.c.tags).where(table.c.group == "a")) == ["x"]
    assert [index["column_names"] for index in inspect(engine).get_indexes("account")] == [["group"]]


def test_a_table_that_is_not_there_is_not_made(engine: Engine) -> None:
    account(metadata := MetaData(), Column("closed_at", UtcDateTime))
    with engine.begin() as connection:
        add_missing_columns(connection, metadata)
    assert inspect(engine).get_table_names() == []


@pytest.mark.parametrize("constraint", [{"nullable": False}, {"unique": True}])
def test_a_column_that_rows_cannot_do_without_is_refused_and_nothing_is_changed(
    engine: Engine, constraint: dict[str, bool]
) -> None:
    earlier_version(engine)
    demanding = Column("demanding", String(8), **constraint)  # type: ignore[arg-type]
    account(metadata := MetaData(), Column("closed_at", UtcDateTime), demanding)
    with pytest.raises(ValueError, match="demanding"), engine.begin() as connection:
        add_missing_columns(connection, metadata)
    assert [found["name"] for found in inspect(engine).get_columns("account")] == ["id", "name"]


def test_servers_that_start_at_once_behind_one_lock_all_start(engine: Engine) -> None:
    earlier_version(engine)
    failures: list[BaseException] = []

    def start() -> None:
        account(metadata := MetaData(), Column("closed_at", UtcDateTime))
        try:
            with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
                add_missing_columns(connection, metadata)
        except BaseException as failure:  # noqa: BLE001 - the test fails with whatever it is
            failures.append(failure)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(inspect(engine).get_columns("account")) == 3
