"""What whoever has the database can hide is found with a checkpoint that was kept elsewhere."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, update

from delegation.database import open_database
from delegation.kept_checkpoint import BadKept, kept_heads
from delegation.record_chain import Head
from delegation.record_checkpoint import TYPE, add_checkpoint, checkpoint_claims, newest_checkpoint
from delegation.record_table import checkpoint_table
from delegation.signing_key import SigningKey
from tests.clock import NOON
from tests.delegation.records import (
    CHAIN,
    ISSUER,
    KEY,
    SERVICE,
    TABLE,
    append,
    checkpoint,
    head_of,
    insert_row,
    judged,
    make_tables,
    pruned,
    put,
    rehash,
    row_at,
    sign,
)

CHECKPOINTS = checkpoint_table(TABLE)
KEYS = {KEY.kid: KEY.public}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A chain of nine records, signed at the third and at the sixth."""
    engine = open_database("", tmp_path / "test.db")
    make_tables(engine)
    for first in (1, 4):
        append(engine, range(first, first + 3))
        with engine.begin() as connection:
            checkpoint(connection)
    append(engine, range(7, 10))
    yield engine
    engine.dispose()


@pytest.fixture
def kept(engine: Engine, tmp_path: Path) -> list[Head]:
    """The newest checkpoint, copied to a file and read from there."""
    with engine.begin() as connection:
        file = tmp_path / "kept"
        file.write_text(f"{newest_checkpoint(connection, TABLE)}\n")
    return kept_heads([str(file)], KEYS, SERVICE)


def found(connection: Connection, kept: list[Head]) -> tuple[str, int | None]:
    fault = judged(connection, kept=kept).fault
    assert fault is not None
    return fault.kind, fault.position


def test_a_kept_checkpoint_fits_the_chain_that_it_was_signed_for(engine: Engine, kept: list[Head]) -> None:
    with engine.begin() as connection:
        connection.execute(delete(CHECKPOINTS))
        verdict = judged(connection, kept=kept)
    assert (verdict.fault, verdict.kept, verdict.signed_position) == (None, 1, 6)


@pytest.mark.parametrize(("left", "first"), [(3, 4), (0, 1)])
def test_a_chain_computed_anew_after_its_checkpoints_were_removed_is_found(
    engine: Engine, kept: list[Head], left: int, first: int
) -> None:
    with engine.begin() as connection:
        connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.position > left))
        put(connection, 5, sub="somebody@example.com")
        rehash(connection, 5)
        assert judged(connection).fault is None
        assert found(connection, kept) == ("changed", first)


def test_a_chain_that_is_shorter_than_a_kept_checkpoint_is_found(engine: Engine, kept: list[Head]) -> None:
    with engine.begin() as connection:
        connection.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.position > 3))
        connection.execute(delete(TABLE).where(TABLE.c.position > 4))
        connection.execute(update(CHAIN).values(position=4, hash=row_at(connection, 4)["hash"]))
        assert judged(connection).fault is None
        assert found(connection, kept) == ("removed", 5)
        for table in (CHECKPOINTS, TABLE, CHAIN):
            connection.execute(delete(table))
        assert judged(connection).fault is None
        assert found(connection, kept) == ("removed", 1)


def test_a_kept_checkpoint_from_before_the_cut_says_nothing_and_an_unsigned_cut_is_found(
    engine: Engine, kept: list[Head]
) -> None:
    pruned(engine, NOON + timedelta(days=8))
    with engine.begin() as connection:
        verdict = judged(connection, kept=kept)
        assert (verdict.fault, verdict.kept, verdict.kept_before_cut) == (None, 0, 1)
        connection.execute(update(CHAIN).values(cut_jws=None))
        assert judged(connection).fault is None
        assert found(connection, kept) == ("cut", 7)


def test_a_row_outside_of_the_chain_whose_counter_was_raised_too_is_found(
    engine: Engine, kept: list[Head]
) -> None:
    with engine.begin() as connection:
        outside = {"position": None, "previous_hash": None, "hash": None, "decision_id": "f" * 32}
        insert_row(connection, {**row_at(connection, 2), **outside})
        connection.execute(update(CHAIN).values(unchained=1))
        assert found(connection, []) == ("inserted", None)
        # A later checkpoint signs the raised counter, and the earlier ones still tell of it.
        checkpoint(connection)
        assert found(connection, []) == ("inserted", None)
        connection.execute(delete(CHECKPOINTS))
        assert found(connection, kept) == ("inserted", None)


def test_a_checkpoint_from_before_the_counter_was_signed_stays_valid(engine: Engine) -> None:
    with engine.begin() as connection:
        head = replace(head_of(connection), unchained=None)
        add_checkpoint(connection, TABLE, head, sign(head), NOON)
        verdict = judged(connection)
    assert (verdict.fault, verdict.checkpoints) == (None, 3)


def test_what_is_no_checkpoint_of_this_service_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file, head = tmp_path / "kept", Head(6, "a" * 64, 0)
    others = KEY.sign(checkpoint_claims(ISSUER, "other", head, NOON, is_cut=False), TYPE)
    forged = sign(head)[:-8] + "AAAAAAAA"
    for text, said in (
        ("", "there is no checkpoint"),
        ("not a checkpoint", "not a JWS"),
        ("é", "cannot|can be read"),
        (others, "something else"),
        (forged, "signature is not valid"),
        (sign(head, key=SigningKey.generate()), "--jwks"),
    ):
        file.write_text(text)
        with pytest.raises(BadKept, match=said):
            kept_heads([str(file)], KEYS, SERVICE)
    with pytest.raises(BadKept, match="can be read"):
        kept_heads([str(tmp_path / "missing")], KEYS, SERVICE)
