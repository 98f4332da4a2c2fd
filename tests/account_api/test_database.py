"""Transactions of one process on SQLite wait for each other in turn, and none is left waiting for good."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from account_api.database import Database, DatabaseUnavailable
from delegation.database import open_database


def _prepare(db: Connection) -> None:
    db.execute(text("CREATE TABLE IF NOT EXISTS done (number INTEGER UNIQUE)"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(open_database("", tmp_path / "test.db"), _prepare)
    yield opened
    opened.dispose()


def _do(database: Database, *numbers: int) -> None:
    with database.transaction() as db:
        for number in numbers:
            db.execute(text("INSERT INTO done VALUES (:number)"), {"number": number})


def _done(database: Database) -> list[int]:
    with database.reading() as db:
        return list(db.scalars(text("SELECT number FROM done ORDER BY number")))


def test_transactions_of_many_threads_are_all_done(database: Database) -> None:
    threads = [threading.Thread(target=_do, args=(database, number)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _done(database) == list(range(40))


def test_one_that_fails_is_undone_and_lets_the_next_take_its_turn(database: Database) -> None:
    with pytest.raises(IntegrityError):
        _do(database, 1, 2, 1)
    _do(database, 3)
    assert _done(database) == [3]


def test_who_waits_too_long_for_another_is_told_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("account_api.database._TURN_SECONDS", 0.05)
    with database.transaction() as db:
        db.execute(text("INSERT INTO done VALUES (1)"))
        with pytest.raises(DatabaseUnavailable):
            _do(database, 2)
        assert _done(database) == []  # a reading waits for nobody
    _do(database, 3)
    assert _done(database) == [1, 3]
