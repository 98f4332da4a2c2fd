"""The rows of a chain in their order, read in batches, whatever somebody has written into them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, select

_BATCH: Final = 1000
UNREADABLE: Final = "unreadable"
"""The hash in a row that cannot be read: no record has it."""


def rows_after(connection: Connection, table: Table, position: object, limit: int) -> list[Mapping[str, Any]]:
    """Return at most `limit` rows that follow this position.

    One that the driver cannot read (JSON that is none) comes without its values.
    """
    following = table.c.position > position
    try:
        rows = connection.execute(
            select(table).where(following).order_by(table.c.position).limit(limit)
        ).mappings()
        return [dict(row) for row in rows]
    except ValueError:
        if limit > 1:
            return rows_after(connection, table, position, limit // 2)
        found = connection.scalar(
            select(table.c.position).where(following).order_by(table.c.position).limit(1)
        )
        return [{"position": found, "previous_hash": "", "hash": UNREADABLE}]


def all_rows_after(connection: Connection, table: Table, position: object) -> Iterator[Mapping[str, Any]]:
    """Yield every row that follows this position."""
    while rows := rows_after(connection, table, position, _BATCH):
        yield from rows
        position = rows[-1]["position"]
