"""A service's table of records for tests: a chain in it, a key that signs it, and ways to tamper with it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, insert, select, update

from delegation.record import Record
from delegation.record_chain import Head, link_hash
from delegation.record_checkpoint import TYPE, add_checkpoint, checkpoint_claims
from delegation.record_retention import Books, prune
from delegation.record_table import append_records, chain_table, record_of, record_table
from delegation.record_verification import Verdict, verify
from delegation.signing_key import SigningKey
from tests.clock import NOON

SERVICE = "service"
METADATA = MetaData()
TABLE = record_table(METADATA)
CHAIN = chain_table(TABLE)
KEY = SigningKey.generate()
ISSUER = "http://localhost:8502"


def record(number: int, **changes: Any) -> Record:
    """Return a record, made `number` days after noon."""
    values: dict[str, Any] = {
        "service": SERVICE,
        "step": 5,
        "decision": "permit",
        "reason": f"række {number} 🏦 \u2028",
        "operation": "account.read_balance",
        "sub": f"customer{number}@example.com",
        "act": ("https://outer.example.com", "https://bank-agent.example.com"),
        "aud": ("https://account.api.example.com",),
        "time": NOON + timedelta(days=number),
    }
    return Record(**values | changes)


def make_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        METADATA.create_all(connection)


def append(engine: Engine, numbers: Iterable[int]) -> None:
    """Append records, each in a transaction of its own."""
    for number in numbers:
        with engine.begin() as connection:
            append_records(connection, TABLE, [record(number)])


def sign(head: Head, at: datetime = NOON, *, is_cut: bool = False, key: SigningKey = KEY) -> str:
    return key.sign(checkpoint_claims(ISSUER, SERVICE, head, at, is_cut=is_cut), TYPE)


def head_of(connection: Connection) -> Head:
    row = connection.execute(select(CHAIN)).one()
    return Head(row.position, row.hash, row.unchained)


def checkpoint(connection: Connection, key: SigningKey = KEY) -> Head:
    """Have the head signed and return it."""
    head = head_of(connection)
    add_checkpoint(connection, TABLE, head, sign(head, key=key), NOON)
    return head


def judged(connection: Connection, *keys: SigningKey, kept: Sequence[Head] = ()) -> Verdict:
    public = {key.kid: key.public for key in keys or (KEY,)}
    return verify(connection, TABLE, SERVICE, public, kept=kept)


def books(engine: Engine, *, signed: bool = True) -> Books:
    async def signature(head: Head, is_cut: bool, now: datetime) -> str:  # noqa: FBT001 - as `Sign` has it
        return sign(head, now, is_cut=is_cut)

    return Books(
        transaction=engine.begin,
        table=TABLE,
        service=SERVICE,
        step=5,
        signed_as=SERVICE,
        sign=signature if signed else None,
    )


def pruned(engine: Engine, before: datetime, *, signed: bool = True) -> Head | None:
    """Remove what is older, and return the cut."""
    now = NOON + timedelta(days=100)
    return asyncio.run(prune(books(engine, signed=signed), before, now, "test", lambda _record: None))


def row_at(connection: Connection, position: int) -> Mapping[str, Any]:
    return dict(connection.execute(select(TABLE).where(TABLE.c.position == position)).mappings().one())


def put(connection: Connection, position: int, **values: Any) -> None:
    """Write into the row at this position."""
    connection.execute(update(TABLE).where(TABLE.c.position == position).values(**values))


def shift(connection: Connection, first: int, by: int) -> None:
    """Move the rows from this position on by one; the detour is for the unique index."""
    far = 1_000_000
    connection.execute(update(TABLE).where(TABLE.c.position >= first).values(position=TABLE.c.position + far))
    connection.execute(
        update(TABLE).where(TABLE.c.position >= far).values(position=TABLE.c.position - far + by)
    )


def insert_row(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(insert(TABLE).values(**{name: row[name] for name in row if name != "id"}))


def rehash(connection: Connection, first: int, *, only: bool = False) -> None:
    """Compute the chain anew from this position on, head included, as somebody who knows how would."""
    previous = row_at(connection, first - 1)["hash"] if first > 1 else "0" * 64
    positions = select(TABLE.c.position).where(TABLE.c.position >= first).order_by(TABLE.c.position)
    for position in connection.scalars(positions).all()[: 1 if only else None]:
        hash_ = link_hash(previous, position, record_of(row_at(connection, position)))
        put(connection, position, previous_hash=previous, hash=hash_)
        previous = hash_
    if not only:
        last = connection.scalars(positions.order_by(None).order_by(TABLE.c.position.desc())).first() or 0
        connection.execute(update(CHAIN).values(position=last, hash=previous))
