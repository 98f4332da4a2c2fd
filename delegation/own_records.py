"""One customer's own records, for the customer: newest first, page by page."""

from sqlalchemy import BigInteger, Connection, String, Table, cast, literal, select

MOST_OWN_RECORDS = 100
"""How many are listed at once at most."""
_HIDDEN = frozenset({"id", "position", "hash", "previous_hash"})


def newest_records_of(
    connection: Connection,
    table: Table,
    sub: str,
    *,
    before: int | None = None,
    limit: int = MOST_OWN_RECORDS,
    delegated: bool = False,
) -> tuple[list[dict[str, object]], int | None]:
    """Return one customer's records as JSON values, newest first, and where to go on from, if there are more.

    `before` is that place; `delegated` leaves out what the customer did without an agent.
    """
    wanted = [table.c.sub == sub]
    if before is not None:
        # As wide as what a caller may send, which PostgreSQL would not compare as the integer that an id is.
        wanted.append(table.c.id < literal(before, BigInteger))
    if delegated:
        wanted.append(cast(table.c.act, String) != "[]")
    columns = [column for column in table.c if column.name not in _HIDDEN]
    rows = connection.execute(
        select(table.c.id, *columns).where(*wanted).order_by(table.c.id.desc()).limit(limit + 1)
    ).mappings()
    found = [dict(row) for row in rows]
    page = found[:limit]
    following = int(page[-1]["id"]) if len(found) > limit else None
    return [{name: value for name, value in row.items() if name != "id"} for row in page], following
