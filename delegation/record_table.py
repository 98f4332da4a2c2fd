"""Records as rows, in services that keep state."""

from datetime import datetime

from sqlalchemy import JSON, Column, Connection, Integer, MetaData, String, Table, select

from delegation.record import Record, written


def record_table(metadata: MetaData) -> Table:
    """Return the table `record`, added to a service's tables."""
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
    )


def insert_record(connection: Connection, table: Table, record: Record) -> None:
    """Add the record's row, in the caller's transaction: it is kept if and only if the effect is."""
    connection.execute(table.insert().values(**record.as_dict()))


def remove_records(connection: Connection, table: Table, before: datetime) -> None:
    """Remove the records older than this time (aware UTC)."""
    connection.execute(table.delete().where(table.c.time < written(before)))


def records_of(
    connection: Connection, table: Table, sub: str, trace_id: str, limit: int = 100
) -> list[dict[str, object]]:
    """Return one customer's records of one trace as JSON values, oldest first."""
    rows = connection.execute(
        select(*(column for column in table.c if column.name != "id"))
        .where(table.c.sub == sub, table.c.trace_id == trace_id)
        .order_by(table.c.id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]
