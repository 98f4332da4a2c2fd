"""Records as rows, in services that keep state; each row is a link of the service's one chain."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from delegation.prepared import Prepared
from delegation.record import OPTIONAL, Record
from delegation.record_chain import GENESIS, Head, hash_of_link

LINK_COLUMNS: Final = frozenset({"id", "position", "previous_hash", "hash"})
"""What a row has besides the record itself."""

_HEAD_ID: Final = 1
_ABSENT: Final = dict.fromkeys(OPTIONAL)


class HeadMissing(SQLAlchemyError):
    """There are records, and the head of their chain is gone: nothing can be appended any more."""


def record_table(metadata: MetaData) -> Table:
    """Return the table `record`, added to a service's tables with those of its chain and its checkpoints."""
    Table(
        "record_chain",  # one row: the chain's head, and the lock of whoever appends
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("position", BigInteger, nullable=False),
        Column("hash", String(64), nullable=False),
        # Where the rows begin: the last record that was removed for its age, and its signature. 0: none was.
        Column("cut_position", BigInteger, nullable=False),
        Column("cut_hash", String(64), nullable=False),
        Column("cut_jws", String),
        # How many rows from before there was a chain stand outside of it.
        Column("unchained", BigInteger, nullable=False),
    )
    Table(
        "record_checkpoint",
        metadata,
        Column("position", BigInteger, primary_key=True, autoincrement=False),
        Column("hash", String(64), nullable=False),
        Column("signed_at", BigInteger, nullable=False),  # seconds since 1970, as its `iat`
        Column("jws", String, nullable=False),
    )
    return Table(
        "record",
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("time", String(32), nullable=False),  # ISO 8601 in UTC: sorts as time does, on every database
        Column("service", String(32), nullable=False),
        Column("step", Integer, nullable=False),
        Column("decision", String(8), nullable=False),
        Column("reason", String, nullable=False),
        Column("operation", String(64), nullable=False),
        Column("resource", String),
        Column("sub", String, index=True),
        Column("act", JSON, nullable=False),
        Column("client_id", String),
        Column("aud", JSON, nullable=False),
        Column("scope", String, nullable=False),
        Column("jti", String),
        Column("decision_id", String(32), nullable=False, unique=True),
        Column("trace_id", String(32), nullable=False, index=True),
        Column("policy_version", String(64)),
        Column("call", JSON(none_as_null=True)),
        # NULL in rows from before there was a chain.
        Column("position", BigInteger),
        Column("previous_hash", String(64)),
        Column("hash", String(64)),
        Index("record_position", "position", unique=True),
    )


def chain_table(table: Table) -> Table:
    """Return the table of the chain's head that belongs to these records."""
    return table.metadata.tables["record_chain"]


def checkpoint_table(table: Table) -> Table:
    """Return the table of the signed checkpoints that belongs to these records."""
    return table.metadata.tables["record_checkpoint"]


def append_records(connection: Connection, table: Table, records: Iterable[Record]) -> None:
    """Add records to the chain, in the caller's transaction: they are kept if and only if the effect is.

    Call it once in a transaction, as its last step: it takes the lock of the chain's head, which nobody who
    holds it may wait under, and each writer waits until the one before has committed.
    """
    rows: list[dict[str, Any]] = []
    head = Head()
    for record in records:
        head = head if rows else locked_head(connection, table)
        values = record.as_dict()
        position = head.position + 1
        hash_ = hash_of_link(head.hash, position, record.canonical)
        # Every row of one statement has the same columns.
        link = {"position": position, "previous_hash": head.hash, "hash": hash_}
        rows.append({**_ABSENT, **values, **link})
        head = Head(position, hash_)
    if rows:
        statements = _statements(table)
        statements.insert.run(connection, *rows)
        statements.move_head.run(connection, {"new_position": head.position, "new_hash": head.hash})


class _Statements(NamedTuple):
    lock_head: Prepared
    move_head: Prepared
    insert: Prepared


@cache
def _statements(table: Table) -> _Statements:
    chain = chain_table(table)
    # SQLite needs no row lock: its transactions that may write already run one after the other.
    locking = select(chain.c.position, chain.c.hash).with_for_update()
    moving = chain.update().values(position=bindparam("new_position"), hash=bindparam("new_hash"))
    columns = [column.name for column in table.columns if not column.primary_key]
    return _Statements(Prepared(locking), Prepared(moving), Prepared(table.insert().inline(), sets=columns))


def locked_head(connection: Connection, table: Table) -> Head:
    """Return the chain's head, which nobody else moves until this transaction ends.

    Raises:
        HeadMissing: somebody removed it.
    """
    locking = _statements(table).lock_head
    row = locking.row(connection, {})
    if row is None:
        if connection.execute(select(table.c.id).where(table.c.position.is_not(None)).limit(1)).first():
            # Another's first record may have been committed in between, and with it its head.
            row = locking.row(connection, {})
            if row is None:
                raise HeadMissing("the head of the chain of records is gone: audit verify")
            return Head(*row)
        unchained = connection.scalar(select(func.count()).select_from(table))
        begin = (
            "INSERT INTO record_chain (id, position, hash, cut_position, cut_hash, unchained) "
            "VALUES (:id, 0, :genesis, 0, :genesis, :unchained) ON CONFLICT DO NOTHING"
        )
        parameters = {"id": _HEAD_ID, "genesis": GENESIS, "unchained": unchained}
        connection.execute(text(begin), parameters)
        [row] = locking.rows(connection, {})
    return Head(*row)


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record in a row, as JSON values."""
    return {
        name: value
        for name, value in row.items()
        if name not in LINK_COLUMNS and (value is not None or name not in OPTIONAL)
    }


def records_of(
    connection: Connection, table: Table, sub: str, trace_id: str, limit: int = 100
) -> list[dict[str, object]]:
    """Return one customer's records of one trace as JSON values, oldest first."""
    rows = connection.execute(
        select(*(column for column in table.c if column.name not in LINK_COLUMNS))
        .where(table.c.sub == sub, table.c.trace_id == trace_id)
        .order_by(table.c.position.is_not(None), table.c.position, table.c.id)
        .limit(limit)
    )
    return [record_of(dict(row)) for row in rows.mappings()]
