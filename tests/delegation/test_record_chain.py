"""Any change to the records is found, and the first one is named where it stands."""

import json
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, text, update

from delegation.database import add_missing_columns, open_database
from delegation.record_chain import GENESIS, canonical, link_hash, present
from delegation.record_table import HeadMissing, append_records, checkpoint_table
from delegation.signing_key import SigningKey
from tests.delegation.records import (
    CHAIN,
    METADATA,
    TABLE,
    append,
    checkpoint,
    head_of,
    insert_row,
    judged,
    make_tables,
    put,
    record,
    rehash,
    row_at,
    shift,
    sign,
)
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]

LENGTH = 9
positions = st.integers(1, LENGTH)
again = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def chained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A chain of nine records, signed at the sixth, which no test changes for good."""
    url = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    engine = open_database(url, tmp_path_factory.mktemp("chain") / "test.db")
    make_tables(engine)
    append(engine, range(1, 7))
    with engine.begin() as connection:
        checkpoint(connection)
    append(engine, range(7, LENGTH + 1))
    yield engine
    engine.dispose()


@pytest.fixture
def tampering(chained: Engine) -> Iterator[Connection]:
    """A transaction in which to tamper; it is rolled back."""
    with chained.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def found(connection: Connection) -> tuple[str, int | None]:
    """Return the fault's kind and position; undo what made it."""
    fault = judged(connection).fault
    assert fault is not None
    return fault.kind, fault.position


def test_the_hash_can_be_computed_by_anybody_from_what_is_stated() -> None:
    content = {"b": None, "ä": [1, "\n\u2028"], "a": "é"}
    assert canonical(content) == '{"a":"é","b":null,"ä":[1,"\\n\u2028"]}'.encode()
    assert link_hash(GENESIS, 1, {"decision": "permit", "sub": None, "step": 5}) == (
        "dbe9f3643ccd947d585bd5ea2119be9c82dee0a9cdc83e01f0a943aa3e153131"
    )


texts = st.text(st.characters(exclude_categories=["Cs"]))
members = st.recursive(
    texts | st.integers(-(2**70), 2**70) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(texts, st.dictionaries(texts, members, max_size=4))
def test_a_record_is_written_in_the_form_in_which_it_is_verified(reason: str, call: dict[str, Any]) -> None:
    one = record(1, reason=reason, call=call)
    assert one.canonical == canonical(present(one.as_dict()))


def test_what_json_does_not_have_is_no_null_to_who_verifies() -> None:
    assert len({canonical({"a": value}) for value in (None, nan, inf, -inf)}) == 4


@given(texts, st.dictionaries(texts, members, max_size=4))
def test_a_line_is_ascii_and_says_what_the_record_says(reason: str, call: dict[str, Any]) -> None:
    one = record(1, reason=reason, call=call)
    line = one.line()
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == one.as_dict()


def test_an_intact_chain_is_found_intact(tampering: Connection) -> None:
    verdict = judged(tampering)
    assert verdict.fault is None
    assert (verdict.records, verdict.position, verdict.checkpoints) == (LENGTH, LENGTH, 1)
    assert (verdict.signed_position, verdict.unchained, verdict.unknown_keys) == (6, 0, 0)


TEXT_COLUMNS = (
    *("time", "service", "decision", "reason", "operation", "resource", "sub", "client_id", "scope", "jti"),
    *("decision_id", "trace_id", "previous_hash", "hash"),
)
changes = st.one_of(
    st.tuples(st.sampled_from(TEXT_COLUMNS), st.text("abc", min_size=1, max_size=8)),
    st.tuples(st.just("step"), st.integers(7, 2**31 - 1)),
    st.tuples(st.sampled_from(["act", "aud"]), st.lists(st.text("abc"), max_size=3)),
    st.tuples(st.sampled_from(["resource", "sub", "client_id", "jti"]), st.none()),
)


@again
@given(position=positions, change=changes)
def test_a_changed_record_is_named(chained: Engine, position: int, change: tuple[str, Any]) -> None:
    with chained.connect() as connection, connection.begin() as transaction:
        column, value = change
        if row_at(connection, position)[column] != value:
            put(connection, position, **{column: value})
            assert found(connection) == ("changed", position)
        transaction.rollback()


@again
@given(position=positions, renumbered=st.booleans())
def test_a_removed_record_is_named(chained: Engine, position: int, *, renumbered: bool) -> None:
    with chained.connect() as connection, connection.begin() as transaction:
        connection.execute(delete(TABLE).where(TABLE.c.position == position))
        if renumbered:
            shift(connection, position, -1)
        assert found(connection) == ("removed", position)
        transaction.rollback()


@again
@given(position=st.integers(1, LENGTH + 1), hashed=st.booleans())
def test_an_inserted_record_is_named(chained: Engine, position: int, *, hashed: bool) -> None:
    with chained.connect() as connection, connection.begin() as transaction:
        shift(connection, position, 1)
        filler = {"previous_hash": "1" * 64, "hash": "2" * 64}
        insert_row(connection, record(77).as_dict() | {"position": position} | filler)
        if hashed:
            rehash(connection, position, only=True)
        assert found(connection) == ("inserted", position)
        transaction.rollback()


@again
@given(pair=st.tuples(positions, positions).filter(lambda pair: pair[0] != pair[1]), whole=st.booleans())
def test_records_in_another_order_are_named(chained: Engine, pair: tuple[int, int], *, whole: bool) -> None:
    first, second = sorted(pair)
    with chained.connect() as connection, connection.begin() as transaction:
        if whole:
            for here, there in ((first, 0), (second, first), (0, second)):
                connection.execute(update(TABLE).where(TABLE.c.position == here).values(position=there))
        else:
            hidden = {"id", "position", "previous_hash", "hash"}
            one, other = (
                {name: value for name, value in row_at(connection, each).items() if name not in hidden}
                for each in (first, second)
            )
            put(connection, first, decision_id="in between")
            put(connection, second, **one)
            put(connection, first, **other)
        assert found(connection) == ("reordered", first)
        transaction.rollback()


@again
@given(position=positions)
def test_a_record_that_was_given_a_new_hash_is_named(chained: Engine, position: int) -> None:
    with chained.connect() as connection, connection.begin() as transaction:
        put(connection, position, reason="better")
        rehash(connection, position, only=True)
        assert found(connection) == ("changed", position)
        transaction.rollback()


@pytest.mark.parametrize("position", [1, 4, 6])
def test_a_chain_computed_anew_differs_from_what_was_signed(tampering: Connection, position: int) -> None:
    put(tampering, position, reason="better")
    rehash(tampering, position)
    fault = judged(tampering).fault
    assert (fault and fault.kind, fault and fault.position) == ("changed", 1)
    assert "position 6" in str(fault)


def test_an_end_that_was_cut_off_is_missed_where_it_was_signed(tampering: Connection) -> None:
    tampering.execute(delete(TABLE).where(TABLE.c.position > 4))
    tampering.execute(update(CHAIN).values(position=4, hash=row_at(tampering, 4)["hash"]))
    fault = judged(tampering).fault
    assert (fault and fault.kind, fault and fault.position) == ("removed", 5)
    assert "signed for position 6" in str(fault)


def test_an_end_that_was_cut_off_is_missed_by_the_chains_head(tampering: Connection) -> None:
    tampering.execute(delete(TABLE).where(TABLE.c.position > 7))
    assert found(tampering) == ("removed", 8)


def test_a_checkpoint_that_nobody_signed_is_named(tampering: Connection) -> None:
    table = checkpoint_table(TABLE)
    for jws in ("x", "a.b.c", sign(head_of(tampering)), sign(head_of(tampering), key=SigningKey.generate())):
        tampering.execute(update(table).values(jws=jws))
        verdict = judged(tampering)
        other_key = verdict.unknown_keys == 1
        assert other_key or (verdict.fault and verdict.fault.kind) == "checkpoint"
    other_service = SigningKey.generate()
    assert judged(tampering, other_service).checkpoints == 0


def test_rows_without_a_place_in_the_chain_are_no_way_in(tampering: Connection) -> None:
    insert_row(tampering, record(5).as_dict())
    assert found(tampering) == ("inserted", None)


def test_the_chains_head_cannot_be_removed_unnoticed(tampering: Connection) -> None:
    tampering.execute(delete(CHAIN))
    assert found(tampering) == ("removed", None)
    with pytest.raises(HeadMissing):
        append_records(tampering, TABLE, [record(10)])


def test_what_no_record_can_hold_is_a_change_and_no_crash(tmp_path: Path) -> None:
    engine = open_database("", tmp_path / "test.db")
    make_tables(engine)
    append(engine, range(1, 6))
    for sql in (
        "UPDATE record SET act = 'no json' WHERE position = 3",
        "UPDATE record SET reason = x'ff' WHERE position = 3",
        "UPDATE record SET hash = NULL WHERE position = 3",
        "UPDATE record SET step = 1.5 WHERE position = 3",
    ):
        with engine.connect() as connection, connection.begin() as transaction:
            connection.execute(text(sql))
            assert found(connection) == ("changed", 3)
            transaction.rollback()
    engine.dispose()


def test_records_from_before_there_was_a_chain_stand_outside_of_it(chained: Engine, tmp_path: Path) -> None:
    engine = open_database("", tmp_path / "old.db")
    link = {"position", "previous_hash", "hash"}
    columns = ", ".join(column.name for column in TABLE.c if column.name not in link)
    with engine.begin() as connection:
        METADATA.create_all(connection)
        for number in (1, 2):
            insert_row(connection, record(number).as_dict())
        connection.execute(text(f"CREATE TABLE old AS SELECT {columns} FROM record"))
        for table in ("record", "record_chain", "record_checkpoint"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("ALTER TABLE old RENAME TO record"))
    with engine.begin() as connection:
        METADATA.create_all(connection)
        add_missing_columns(connection, METADATA)
    append(engine, [3, 4])
    with engine.begin() as connection:
        verdict = judged(connection)
        assert (verdict.fault, verdict.records, verdict.unchained) == (None, 2, 2)
        connection.execute(delete(TABLE).where(TABLE.c.position.is_(None), TABLE.c.sub.like("customer1%")))
        assert found(connection) == ("removed", None)
    engine.dispose()
