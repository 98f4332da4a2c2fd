"""Records are removed by age, and what stays is a chain that can be verified from the cut on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select

from delegation.record import Record, written
from delegation.record_chain import Head
from delegation.record_checkpoint import Sign
from delegation.record_table import append_records, chain_table, checkpoint_table, locked_head

PRUNE: Final = "audit.prune"
_BATCH: Final = 2000
"""Rows removed in one transaction: nobody who records waits for longer than that takes."""

Transaction = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is needed to prune one service's records; `sign` is None where no signature can be had."""

    transaction: Transaction
    table: Table
    service: str
    step: int
    sign: Sign | None


def prune(
    retention: Retention, before: datetime, now: datetime, by: str, publish: Callable[[Record], None]
) -> Head | None:
    """Remove the records older than `before` (aware UTC), up to the first that is not; return the cut.

    The cut is recorded and signed before the first row goes, in a transaction of its own, so that the chain
    can be verified at any moment of this. `publish` gets its record when it is committed. None: there was
    nothing to remove.
    """
    with retention.transaction() as connection:
        cut, entry = _cut(connection, retention, before, now, by)
    if entry is not None:
        publish(entry)
    while True:
        with retention.transaction() as connection:
            if _remove_batch(connection, retention.table) < _BATCH:
                return cut


def is_overdue(connection: Connection, table: Table, before: datetime, grace: timedelta) -> bool:
    """Tell whether the oldest record is too old by more than `grace`, or a removal is unfinished."""
    chain = chain_table(table)
    oldest = connection.scalar(
        select(table.c.time).order_by(table.c.position.is_not(None), table.c.position, table.c.id).limit(1)
    )
    unfinished = connection.scalar(
        select(table.c.id).join(chain, table.c.position <= chain.c.cut_position).limit(1)
    )
    return (oldest is not None and oldest < written(before - grace)) or unfinished is not None


def _cut(
    connection: Connection, retention: Retention, before: datetime, now: datetime, by: str
) -> tuple[Head | None, Record | None]:
    table, chain = retention.table, chain_table(retention.table)
    head = locked_head(connection, table)
    is_old_and_unchained = (table.c.position.is_(None), table.c.time < written(before))
    unchained = connection.execute(delete(table).where(*is_old_and_unchained)).rowcount
    state = connection.execute(select(chain.c.cut_position, chain.c.unchained)).one()
    connection.execute(chain.update().values(unchained=state.unchained - unchained))
    first_kept = connection.scalar(
        select(table.c.position)
        .where(table.c.position > state.cut_position, table.c.time >= written(before))
        .order_by(table.c.position)
        .limit(1)
    )
    position = head.position if first_kept is None else first_kept - 1
    if position <= state.cut_position:
        return None, None
    cut = Head(position, connection.scalar(select(table.c.hash).where(table.c.position == position)) or "")
    jws = retention.sign(cut, True, now) if retention.sign else None  # noqa: FBT003 - a callback's
    connection.execute(chain.update().values(cut_position=cut.position, cut_hash=cut.hash, cut_jws=jws))
    checkpoint = checkpoint_table(table)
    connection.execute(delete(checkpoint).where(checkpoint.c.position <= cut.position))
    entry = Record(
        service=retention.service,
        step=retention.step,
        decision="permit",
        reason=f"{by}: what is older than {written(before)} is removed, up to hash {cut.hash}",
        operation=PRUNE,
        resource=cut_resource(cut.position),
        time=now,
    )
    append_records(connection, table, [entry])
    return cut, entry


def cut_resource(position: int) -> str:
    """Return the `resource` of the record that says where the chain was cut."""
    return f"/records/{position}"


def _remove_batch(connection: Connection, table: Table) -> int:
    cut = select(func.max(chain_table(table).c.cut_position)).scalar_subquery()
    below = select(table.c.id).where(table.c.position <= cut).order_by(table.c.position).limit(_BATCH)
    return connection.execute(delete(table).where(table.c.id.in_(below))).rowcount
