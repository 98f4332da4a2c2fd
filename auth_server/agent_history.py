"""Who changed what of an agent, when and why: its history, and a record of each change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BigInteger, literal, select
from sqlalchemy.orm import Session

from auth_server.agent_details import InvalidDetails, Text, faults
from auth_server.agent_tables import AgentChange, RegisteredAgent
from auth_server.audit import record
from delegation.record import of_token
from delegation.token import AccessToken

HISTORY_PAGE: Final = 20
"""So many entries of an agent's history are shown at once if nobody says how many."""
_STEP: Final = 3
"""Records of the registry stand with the agent's own credentials in the documented flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who decided on a change, why, and when (aware UTC); `token` is what they came with, if with any.

    `role` is the one in which a member of staff decided; None at the command line.
    """

    who: str
    why: str
    at: datetime
    token: AccessToken | None = None
    role: str | None = None


def by(
    who: str, why: str, at: datetime, *, needs_reason: bool = False, token: AccessToken | None = None
) -> By:
    """Return who decided and why, checked; where no reason is needed it may be empty.

    Raises:
        InvalidDetails: one of them is missing, too long, or no plain text.
    """
    text = TypeAdapter(Text)
    try:
        said = text.validate_python(why) if why or needs_reason else ""
        return By(who=text.validate_python(who), why=said, at=at, token=token)
    except ValidationError as error:
        raise InvalidDetails(f"who and why are plain texts: {faults(error)}") from error


def note(db: Session, agent: RegisteredAgent, action: str, by: By, changes: dict[str, list[Any]]) -> None:
    """Add an entry to the agent's history, and a record, in this transaction.

    `changes` has what was and what is, by the name of the field.
    """
    entry = AgentChange(
        agent_id=agent.agent_id, time=by.at, who=by.who, action=action, why=by.why, changes=changes
    )
    db.add(entry)
    reason = f"{by.who}: {by.why}" if by.why else by.who
    fields = of_token(by.token) | {"resource": agent.agent_id, "time": by.at}
    record(db, _STEP, "permit", reason, f"agent.{action}", **fields)


def history(db: Session, agent_id: str) -> Sequence[AgentChange]:
    """Return an agent's whole history, oldest first, for the command line."""
    return db.scalars(
        select(AgentChange).where(AgentChange.agent_id == agent_id).order_by(AgentChange.id)
    ).all()


def history_page(
    db: Session, agent_id: str, before: int | None = None, limit: int = HISTORY_PAGE
) -> tuple[Sequence[AgentChange], int | None]:
    """Return the newest entries, oldest first, or those before one; and what to go on `before`, if any."""
    entries = select(AgentChange).where(AgentChange.agent_id == agent_id)
    if before is not None:
        # As wide as what a caller may send, which PostgreSQL would not compare as the integer that an id is.
        entries = entries.where(AgentChange.id < literal(before, BigInteger))
    found = db.scalars(entries.order_by(AgentChange.id.desc()).limit(limit + 1)).all()
    page = found[:limit]
    return page[::-1], page[-1].id if len(found) > limit else None
