"""What a running service does for its chain of records: checkpoints when they are due, removal by age."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from delegation.clock import Clock
from delegation.in_thread import in_thread
from delegation.record import print_record
from delegation.record_chain import Head
from delegation.record_checkpoint import NoSignature, Sign, When, add_checkpoint, due_checkpoint
from delegation.record_retention import Books, is_overdue, prune

_EVERY_SECONDS: Final = 1.0
_GRACE: Final = timedelta(days=1)
"""How far beyond their age records may stay, so that there is one cut a day and not one for each record."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long a service keeps its records, and when it has its chain's head signed."""

    books: Books
    clock: Clock
    record_days: int
    checkpoints: When


async def keep_once(keeping: Keeping) -> None:
    """Do what is due now.

    Raises:
        NoSignature: it cannot be had now.
        SQLAlchemyError: the database does not work now.
    """
    books, now = keeping.books, keeping.clock()
    before = now - timedelta(days=keeping.record_days)
    head, overdue = await in_thread(_due, keeping, now, before)
    if head is not None and books.sign is not None:
        await _checkpoint(books, books.sign, head, now)
    if overdue:
        await prune(books, before, now, f"kept for {keeping.record_days} days", print_record)


@asynccontextmanager
async def keeping_records(keeping: Keeping) -> AsyncIterator[None]:
    """Meanwhile do what is due, at once and then every second; what fails is tried again."""
    task = asyncio.create_task(_keep(keeping))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep(keeping: Keeping) -> None:
    said = ""
    while True:
        try:
            await keep_once(keeping)
            said = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try must come
            fault = str(error) if isinstance(error, NoSignature) else type(error).__name__
            if fault != said:
                foreseen = isinstance(error, NoSignature | SQLAlchemyError)
                _log.warning(
                    "no checkpoint and no removal of records now, will try again: %s",
                    fault,
                    exc_info=None if foreseen else error,
                )
            said = fault
        await asyncio.sleep(_EVERY_SECONDS)


def _due(keeping: Keeping, now: datetime, before: datetime) -> tuple[Head | None, bool]:
    table = keeping.books.table
    with keeping.books.transaction() as connection:
        head = due_checkpoint(connection, table, now, keeping.checkpoints)
        return head, is_overdue(connection, table, before, _GRACE)


async def _checkpoint(books: Books, sign: Sign, head: Head, now: datetime) -> None:
    jws = await sign(head, False, now)  # noqa: FBT003 - a callback's

    def add() -> None:
        with books.transaction() as connection:
            add_checkpoint(connection, books.table, head, jws, now)

    await in_thread(add)
