"""Records are removed by age, and what stays is a chain that can be verified from the cut on."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, delete, select

from delegation.in_thread import in_thread
from delegation.record import Record, written
from delegation.record_chain import Head
from delegation.record_checkpoint import Sign
from delegation.record_table import append_records, chain_table, checkpoint_table, locked_head

PRUNE: Final = "audit.prune"
_BATCH: Final = 2000
"""Rows removed in one transaction: nobody who records waits for longer than that takes."""

Transaction = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """One service's records: `step` is that of the flow, `sign` None where no signature can be had.

    `signed_as` is what the service is called in checkpoints: where a signature is asked for by a client, that
    client's identifier.
    """

    transaction: Transaction
    table: Table
    service: str
    step: int
    signed_as: str
    sign: Sign | None


async def prune(
    books: Books, before: datetime, now: datetime, by: str, publish: Callable[[Record], None]
) -> Head | None:
    """Remove the records older than `before` (aware UTC), up to the first that is not; return the cut.

    The cut is signed and recorded before the first row goes, so that the chain can be verified at any moment
    of this. `publish` gets its record when it is committed. None: there was nothing to cut.

    Raises:
        NoSignature: it cannot be had now; nothing was removed.
        SQLAlchemyError: the database does not work; what was not removed goes with the next call.
    """
    cut = await in_thread(_new_cut, books, before)
    jws = await books.sign(cut, True, now) if cut and books.sign else None  # noqa: FBT003 - a callback's
    entry = await in_thread(_record_cut, books, cut, jws, before, now, by)
    if entry is not None:
        publish(entry)
    while await in_thread(_remove_batch, books, before) == _BATCH:
        pass
    return cut if entry is not None else None


def is_overdue(connection: Connection, table: Table, before: datetime, grace: timedelta) -> bool:
    """Tell whether the oldest record is too old by more than `grace`, or a removal is unfinished."""
    cut = connection.scalar(select(chain_table(table).c.cut_position))
    if cut is None:
        return False
    first = select(table.c.position, table.c.time).order_by(table.c.position).limit(1)
    oldest = connection.execute(first.where(table.c.position.is_not(None))).one_or_none()
    unchained = connection.execute(first.where(table.c.position.is_(None))).one_or_none()
    is_unfinished = oldest is not None and oldest.position <= cut
    return is_unfinished or any(row and row.time < written(before - grace) for row in (oldest, unchained))


def cut_resource(position: int) -> str:
    """Return the `resource` of the record that says where the chain was cut."""
    return f"/records/{position}"


def _new_cut(books: Books, before: datetime) -> Head | None:
    """Return the last record before the first that is to stay, or None if that is no further than now."""
    table, chain = books.table, chain_table(books.table)
    with books.transaction() as connection:
        state = connection.execute(select(chain)).one_or_none()
        if state is None:
            return None
        later = (table.c.position > state.cut_position, table.c.time >= written(before))
        first_kept = connection.scalar(
            select(table.c.position).where(*later).order_by(table.c.position).limit(1)
        )
        last = state.position if first_kept is None else first_kept - 1
        found = connection.execute(
            select(table.c.position, table.c.hash).where(
                table.c.position == last, table.c.position > state.cut_position
            )
        ).one_or_none()
        return Head(found.position, found.hash, state.unchained) if found is not None else None


def _record_cut(
    books: Books, cut: Head | None, jws: str | None, before: datetime, now: datetime, by: str
) -> Record | None:
    """Move the cut there and record it; None if another process was first."""
    if cut is None:
        return None
    table, chain = books.table, chain_table(books.table)
    entry = Record(
        service=books.service,
        step=books.step,
        decision="permit",
        reason=f"{by}: what is older than {written(before)} is removed, up to hash {cut.hash}",
        operation=PRUNE,
        resource=cut_resource(cut.position),
        time=now,
    )
    with books.transaction() as connection:
        locked_head(connection, table)
        moved = chain.update().where(chain.c.cut_position < cut.position)
        values = {"cut_position": cut.position, "cut_hash": cut.hash, "cut_jws": jws}
        if connection.execute(moved.values(**values)).rowcount != 1:
            return None
        checkpoint = checkpoint_table(table)
        connection.execute(delete(checkpoint).where(checkpoint.c.position <= cut.position))
        append_records(connection, table, [entry])
    return entry


def _remove_batch(books: Books, before: datetime) -> int:
    """Remove rows before the cut, and old ones from before there was a chain; return how many."""
    table, chain = books.table, chain_table(books.table)
    with books.transaction() as connection:
        if connection.scalar(select(chain.c.id)) is None:
            return 0
        locked_head(connection, table)
        cut = select(chain.c.cut_position).scalar_subquery()
        below = select(table.c.id).where(table.c.position <= cut).limit(_BATCH)
        removed = connection.execute(delete(table).where(table.c.id.in_(below))).rowcount
        outside = (table.c.position.is_(None), table.c.time < written(before))
        old = select(table.c.id).where(*outside).limit(_BATCH - removed)
        unchained = connection.execute(delete(table).where(table.c.id.in_(old))).rowcount
        connection.execute(chain.update().values(unchained=chain.c.unchained - unchained))
        return removed + unchained
