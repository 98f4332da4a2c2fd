"""What a running service does for its chain of records: checkpoints when they are due, removal by age."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from delegation.clock import Clock
from delegation.record import print_record
from delegation.record_checkpoint import NoSignature, When, add_checkpoint_if_due
from delegation.record_retention import Retention, is_overdue, prune

_EVERY_SECONDS: Final = 1.0
_GRACE: Final = timedelta(days=1)
"""How far beyond their age records may stay, so that there is one cut a day and not one for each record."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long a service keeps its records, and when it has its chain's head signed."""

    retention: Retention
    clock: Clock
    record_days: int
    checkpoints: When


def keep_once(keeping: Keeping) -> None:
    """Do what is due now.

    Raises:
        SQLAlchemyError: the database does not work now.
        NoSignature: the signature cannot be had now.
    """
    retention, now = keeping.retention, keeping.clock()
    before = now - timedelta(days=keeping.record_days)
    with retention.transaction() as connection:
        if retention.sign is not None:
            add_checkpoint_if_due(connection, retention.table, now, keeping.checkpoints, retention.sign)
        overdue = is_overdue(connection, retention.table, before, _GRACE)
    if overdue:
        prune(retention, before, now, f"kept for {keeping.record_days} days", print_record)


async def keep_regularly(keeping: Keeping) -> None:
    """Do what is due, now and every second, until cancelled; what fails is tried again."""
    while True:
        try:
            await asyncio.to_thread(keep_once, keeping)
        except (SQLAlchemyError, NoSignature) as error:
            _log.warning("no checkpoint and no cut now, will try again: %s", type(error).__name__)
        await asyncio.sleep(_EVERY_SECONDS)
