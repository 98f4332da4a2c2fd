"""An account's entries, newest first, in pages that stay stable while new entries arrive."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy import Connection, Integer, Row, bindparam, func, select

from account_api import problems, tables

_CURSOR_PREFIX: Final = b"entry:"
_MAX_ENTRY_ID: Final = 2**63 - 1

_RUNNING: Final = (
    select(
        tables.entry,
        func.sum(tables.entry.c.amount_minor).over(order_by=tables.entry.c.id).label("balance_after_minor"),
    )
    .where(tables.entry.c.account_id == bindparam("account_id"))
    .subquery()
)
_PAGE: Final = (
    select(_RUNNING)
    .where(
        _RUNNING.c.id < bindparam("before"),
        _RUNNING.c.booked_at.between(bindparam("first"), bindparam("last")),
    )
    .order_by(_RUNNING.c.id.desc())
    .limit(bindparam("most", type_=Integer))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of an account's entries with `balance_after`, and where the next page begins (None: no more)."""

    rows: Sequence[Row[Any]]
    next_cursor: str | None


def page(
    db: Connection,
    account_id: str,
    *,
    booked_from: date | None = None,
    booked_to: date | None = None,
    limit: int,
    cursor: str | None = None,
) -> Page:
    """Return up to `limit` entries, newest first, booked on the given UTC days, both included.

    A page begins after the last entry of the one before (keyset paging), so an entry that arrives meanwhile
    neither repeats nor hides another.

    Raises:
        Problem: the cursor is not one of ours.
    """
    asked = {
        "account_id": account_id,
        "before": _entry_id(cursor) if cursor is not None else _MAX_ENTRY_ID,
        "first": datetime.combine(booked_from or date.min, time.min, UTC),
        "last": datetime.combine(booked_to or date.max, time.max, UTC),
        "most": limit + 1,
    }
    rows = db.execute(_PAGE, asked).all()
    return Page(rows=rows[:limit], next_cursor=_cursor(rows[limit - 1].id) if len(rows) > limit else None)


def _cursor(entry_id: int) -> str:
    return base64.urlsafe_b64encode(_CURSOR_PREFIX + str(entry_id).encode()).decode().rstrip("=")


def _entry_id(cursor: str) -> int:
    """Read a cursor. It needs no signature: the account is checked apart from it, so it can open no other."""
    try:
        decoded = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        entry_id = int(decoded.removeprefix(_CURSOR_PREFIX))
    except (binascii.Error, ValueError) as error:
        raise problems.cursor_invalid() from error
    if not decoded.startswith(_CURSOR_PREFIX) or not 0 < entry_id <= _MAX_ENTRY_ID:
        raise problems.cursor_invalid()
    return entry_id
