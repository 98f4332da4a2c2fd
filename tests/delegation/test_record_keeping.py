"""One chain whoever writes; checkpoints when they are due; what is removed by age leaves a chain behind."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, func, select, update

from delegation.database import open_database
from delegation.record_checkpoint import NoSignature, When, due_checkpoint
from delegation.record_keeping import Keeping, keep_once
from delegation.record_retention import Books, prune
from delegation.record_table import append_records, checkpoint_table
from tests.clock import NOON, SetClock
from tests.delegation.records import (
    CHAIN,
    TABLE,
    append,
    books,
    checkpoint,
    head_of,
    judged,
    make_tables,
    pruned,
    put,
    record,
    rehash,
)
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]
CHECKPOINT = checkpoint_table(TABLE)
WRITER = """
import sys
from pathlib import Path
from delegation.database import open_database
from tests.delegation.records import append
append(open_database(sys.argv[1], Path(sys.argv[2])), range(int(sys.argv[3])))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def engine(url: str, tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(url, tmp_path / "test.db")
    make_tables(opened)
    yield opened
    opened.dispose()


def count(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.scalar(select(func.count()).select_from(TABLE)) or 0


def test_threads_and_processes_write_one_chain(engine: Engine, url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, url, str(tmp_path / "test.db"), "20"]
    writers = [subprocess.Popen(command) for _ in range(2)]
    threads = [threading.Thread(target=append, args=(engine, range(20))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    with engine.begin() as connection:
        verdict = judged(connection)
    assert (verdict.fault, verdict.records, verdict.position) == (None, 80, 80)


def test_a_first_record_that_is_committed_meanwhile_is_no_head_that_is_gone(
    postgres: Postgres, tmp_path: Path
) -> None:
    engine = open_database(postgres.new_database(), tmp_path / "unused.db")
    make_tables(engine)
    other = engine.connect()
    append_records(other, TABLE, [record(1)])

    def commit_other(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # Whoever appends has seen no head, and now looks whether there are records.
        if "position IS NOT NULL" in statement and other.in_transaction():
            other.commit()

    event.listen(engine, "before_cursor_execute", commit_other)
    append(engine, [2])
    with engine.begin() as connection:
        assert (judged(connection).fault, judged(connection).position) == (None, 2)
    other.close()
    engine.dispose()


def test_what_is_rolled_back_leaves_no_gap(engine: Engine) -> None:
    append(engine, [1])
    with engine.connect() as connection, connection.begin() as transaction:
        append_records(connection, TABLE, [record(2), record(3)])
        transaction.rollback()
    append(engine, [4])
    with engine.begin() as connection:
        verdict = judged(connection)
    assert (verdict.fault, verdict.position) == (None, 2)


def test_a_checkpoint_is_due_after_some_records_or_some_time(engine: Engine) -> None:
    when = When(records=3, seconds=60)
    with engine.begin() as connection:
        assert due_checkpoint(connection, TABLE, NOON, when) is None
    append(engine, [1])
    with engine.begin() as connection:
        first = due_checkpoint(connection, TABLE, NOON, when)
        assert first is not None
        assert checkpoint(connection) == first
        assert due_checkpoint(connection, TABLE, NOON + timedelta(days=1), when) is None
    append(engine, [2, 3])
    with engine.begin() as connection:
        assert due_checkpoint(connection, TABLE, NOON + timedelta(seconds=59), when) is None
        assert due_checkpoint(connection, TABLE, NOON + timedelta(seconds=60), when) == head_of(connection)
    append(engine, [4])
    with engine.begin() as connection:
        assert due_checkpoint(connection, TABLE, NOON, when) == head_of(connection)


def test_a_running_service_signs_and_removes_what_is_due(engine: Engine) -> None:
    clock = SetClock(NOON + timedelta(days=10))
    keeping = Keeping(
        books=books(engine), clock=clock, record_days=30, checkpoints=When(records=100, seconds=60)
    )
    append(engine, range(1, 11))
    asyncio.run(keep_once(keeping))
    with engine.begin() as connection:
        assert judged(connection).signed_position == 10
    clock.forward(days=22)
    asyncio.run(keep_once(keeping))
    assert count(engine) == 10  # the first is two days too old by now only at the day's end
    clock.forward(hours=1)
    asyncio.run(keep_once(keeping))
    with engine.begin() as connection:
        verdict = judged(connection)
        assert (verdict.fault, verdict.cut, verdict.records) == (None, 2, 9)
    asyncio.run(keep_once(keeping))
    with engine.begin() as connection:
        assert judged(connection).signed_position == 11


def test_what_is_older_is_removed_and_the_rest_can_be_verified(engine: Engine) -> None:
    append(engine, range(1, 11))
    with engine.begin() as connection:
        checkpoint(connection)
    cut = pruned(engine, NOON + timedelta(days=5))
    assert cut is not None
    assert cut.position == 4
    assert count(engine) == 7
    with engine.begin() as connection:
        verdict = judged(connection)
        assert (verdict.fault, verdict.cut, verdict.records, verdict.checkpoints) == (None, 4, 7, 2)
    append(engine, [11])
    assert pruned(engine, NOON + timedelta(days=5)) is None
    assert pruned(engine, NOON + timedelta(days=1000)) is not None
    with engine.begin() as connection:
        verdict = judged(connection)
    assert (verdict.fault, verdict.cut, verdict.position) == (None, 12, 13)


def test_a_record_that_is_younger_than_those_after_it_keeps_them(engine: Engine) -> None:
    append(engine, [1, 9, 2, 3])
    cut = pruned(engine, NOON + timedelta(days=5))
    assert cut is not None
    assert cut.position == 1


def test_nothing_is_removed_before_its_signature_is_there(engine: Engine) -> None:
    async def unavailable(*_: object) -> str:
        raise NoSignature("not now")

    append(engine, range(1, 5))
    unsigned = books(engine)
    kept = Books(**{name: getattr(unsigned, name) for name in Books.__slots__} | {"sign": unavailable})
    with pytest.raises(NoSignature):
        asyncio.run(prune(kept, NOON + timedelta(days=3), NOON, "test", lambda _record: None))
    assert count(engine) == 4


def test_a_removal_that_was_interrupted_is_verified_and_finished(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    append(engine, range(1, 11))
    with monkeypatch.context() as patch:
        patch.setattr("delegation.record_retention._remove_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            pruned(engine, NOON + timedelta(days=5))
    with engine.begin() as connection:
        verdict = judged(connection)
    assert (verdict.fault, verdict.cut, verdict.records) == (None, 4, 7)
    assert count(engine) == 11
    pruned(engine, NOON + timedelta(days=5))
    assert count(engine) == 7


def test_a_beginning_that_was_removed_by_hand_is_missed(engine: Engine) -> None:
    append(engine, range(1, 11))
    with engine.begin() as connection:
        checkpoint(connection)
        connection.execute(delete(TABLE).where(TABLE.c.position < 4))
        fault = judged(connection).fault
        assert (fault and fault.kind, fault and fault.position) == ("removed", 1)
        # Somebody who also moves the cut has no record of it, and who writes one has no signature for it.
        last = connection.scalar(select(TABLE.c.previous_hash).where(TABLE.c.position == 4))
        connection.execute(update(CHAIN).values(cut_position=3, cut_hash=last))
        fault = judged(connection).fault
        assert (fault and fault.kind, fault and fault.position) == ("removed", 1)
        append_records(connection, TABLE, [record(11, operation="audit.prune", resource="/records/3")])
        fault = judged(connection).fault
        assert (fault and fault.kind, fault and fault.position) == ("cut", 3)


def test_a_cut_keeps_its_signature_against_what_is_put_before_it(engine: Engine) -> None:
    append(engine, range(1, 11))
    pruned(engine, NOON + timedelta(days=5))
    with engine.begin() as connection:
        connection.execute(update(CHAIN).values(cut_hash="1" * 64))
        put(connection, 5, reason="better")
        fault = judged(connection).fault
        assert (fault and fault.kind, fault and fault.position) == ("checkpoint", 4)


def test_many_records_are_verified_in_batches_with_progress(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delegation.record_verification._BATCH", 7)
    with engine.begin() as connection:
        append_records(connection, TABLE, [record(number % 28) for number in range(50)])
        checkpoint(connection)
        assert judged(connection).records == 50
        put(connection, 33, reason="better")
        rehash(connection, 33, only=True)
        fault = judged(connection).fault
        assert (fault and fault.kind, fault and fault.position) == ("changed", 33)
