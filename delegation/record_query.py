"""One question to a service's records: what did this agent do for this customer, when, and why was it let?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, exists, func, or_, select

from delegation.record import written

MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a record must have to be an answer; None asks for nothing.

    `agent` is any actor of the chain or the client. `since` is included, `until` is not (both aware).
    """

    sub: str | None = None
    agent: str | None = None
    operation: str | None = None
    decision: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    trace_id: str | None = None
    jti: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which answers: by position, those after `after` and before `before`, oldest first or newest first."""

    after: int = 0
    before: int | None = None
    limit: int = 100
    newest_first: bool = False


def answers(
    connection: Connection, table: Table, question: Question, page: Page
) -> Sequence[Mapping[str, Any]]:
    """Return records as JSON values, with `position` and `hash`, where the chain has them.

    To go on, ask for what is after the last position, or before it where the newest come first. Rows from
    before there was a chain have no position, and are not found.
    """
    column = table.c
    wanted = [column.position > page.after, *_conditions(connection, table, question)]
    if page.before is not None:
        wanted.append(column.position < page.before)
    order = column.position.desc() if page.newest_first else column.position
    hidden = {"id", "previous_hash"}
    rows = connection.execute(
        select(*(each for each in column if each.name not in hidden))
        .where(*wanted)
        .order_by(order)
        .limit(min(page.limit, MOST_AT_ONCE))
    )
    return [dict(row) for row in rows.mappings()]


def _conditions(connection: Connection, table: Table, question: Question) -> list[ColumnElement[bool]]:
    column = table.c
    equal = ("sub", "operation", "decision", "trace_id", "jti")
    wanted = {name: getattr(question, name) for name in equal}
    found: list[ColumnElement[bool]] = [
        column[name] == value for name, value in wanted.items() if value is not None
    ]
    if question.agent is not None:
        found.append(or_(column.client_id == question.agent, _acts(connection, table, question.agent)))
    if question.since is not None:
        found.append(column.time >= written(question.since.astimezone(UTC)))
    if question.until is not None:
        found.append(column.time < written(question.until.astimezone(UTC)))
    return found


def _acts(connection: Connection, table: Table, agent: str) -> ColumnElement[bool]:
    """Return the condition that the chain of actors names this one."""
    is_postgresql = connection.dialect.name == "postgresql"
    elements = func.json_array_elements_text if is_postgresql else func.json_each
    actor = elements(table.c.act).table_valued("value")
    return exists(select(1).select_from(actor).where(actor.c.value == agent).correlate(table))
