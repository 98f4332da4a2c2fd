"""The agent registry's tables. An agent is never removed: a retired one stays, with its history."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from auth_server.tables import Base


class RegisteredAgent(Base):
    """An agent: an identity of its own, apart from customers and from ordinary clients.

    `owner` is what customers read, `owner_sub` the member of staff who answers for it. `jwks` are uploaded
    public keys; an agent has either these or a `jwks_uri`. `customers` and `groups` say whom it may act for:
    whoever is named by one of them; None in both means all. `suspended_by_role` is the role of the member of
    staff who suspended it; None for the command line, for an earlier version, and while it is not suspended.
    """

    __tablename__ = "agent"
    agent_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    purpose: Mapped[str]
    owner: Mapped[str]
    jwks_uri: Mapped[str | None]
    jwks: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    scopes: Mapped[dict[str, list[str]]] = mapped_column(JSON)
    max_seconds: Mapped[int]
    customers: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    state: Mapped[str] = mapped_column(String(16))
    jwks_uri_setting: Mapped[str | None]
    """AGENT_JWKS_URI as the last start found it, for the agent that comes from the settings."""
    owner_sub: Mapped[str | None] = mapped_column(index=True)
    max_transfer_minor: Mapped[int | None] = mapped_column(BigInteger)
    groups: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    suspended_by_role: Mapped[str | None] = mapped_column(String(16))


class AgentChange(Base):
    """One entry of an agent's history: who changed what, when and why. Nothing changes or removes an entry.

    `changes` has what was and what is, by the name of the field; of keys only their `kid`.
    """

    __tablename__ = "agent_change"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    agent_id: Mapped[str] = mapped_column(index=True)
    time: Mapped[datetime]
    who: Mapped[str]
    action: Mapped[str] = mapped_column(String(32))
    why: Mapped[str]
    changes: Mapped[dict[str, list[Any]]] = mapped_column(JSON)
