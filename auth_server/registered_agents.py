"""The registry as requests read it: in their own transaction, so that a change counts at once."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from auth_server.agent_tables import RegisteredAgent
from auth_server.clients import AGENT_GRANTS, Agent
from auth_server.oauth_errors import InvalidClient
from delegation.scope import Scope


def find_agent(db: Session, agent_id: str) -> Agent | None:
    """Return an agent as it is registered now, in whichever state, or None."""
    row = db.get(RegisteredAgent, agent_id)
    return as_agent(row) if row else None


def agents_named(db: Session, names: Collection[str]) -> dict[str, Agent]:
    """Return those of these identifiers that are agents', in whichever state."""
    rows = db.scalars(select(RegisteredAgent).where(RegisteredAgent.agent_id.in_(set(names))))
    return {row.agent_id: as_agent(row) for row in rows}


def known_names(db: Session | Connection) -> set[str]:
    """Return every agent's identifier, and every audience at which one may act."""
    rows = db.execute(select(RegisteredAgent.agent_id, RegisteredAgent.scopes))
    return {name for row in rows for name in (row.agent_id, *row.scopes)}


def hold_active(db: Session, authenticated: Agent) -> Agent:
    """Return the agent that has just authenticated, and keep it as it is until this transaction is over.

    Whoever suspends an agent waits for this, and ends what was issued meanwhile.

    Raises:
        InvalidClient: it is not active, or has other keys by now (RFC 6749 §5.2).
    """
    held = select(RegisteredAgent).where(RegisteredAgent.agent_id == authenticated.client_id)
    agent = as_agent(db.scalars(held.with_for_update(read=True)).one())
    check_active(agent, authenticated)
    return agent


def check_active(agent: Agent, authenticated: Agent) -> None:
    """Let an agent pass that is held, and has the keys with which it authenticated.

    Raises:
        InvalidClient: it is not active, or has other keys by now (RFC 6749 §5.2).
    """
    if not agent.is_active:
        raise InvalidClient(f"this agent is not active but {agent.state}; ask whoever is responsible for it")
    if not same_keys(agent, authenticated):
        raise InvalidClient("this agent's keys have just changed; send a new assertion")


def same_keys(one: Agent, other: Agent) -> bool:
    """Tell whether two readings of an agent name the same keys, or the same place of them."""
    return (one.jwks_uri, one.jwks) == (other.jwks_uri, other.jwks)


def as_agent(row: Any) -> Agent:
    """Return an agent from its row."""
    return Agent(
        client_id=row.agent_id,
        name=row.name,
        owner=row.owner,
        jwks_uri=row.jwks_uri,
        jwks=tuple(row.jwks),
        grant_types=AGENT_GRANTS,
        resources={audience: Scope(scopes) for audience, scopes in row.scopes.items()},
        state=row.state,
        max_life=timedelta(seconds=row.max_seconds),
        customers=None if row.customers is None else frozenset(row.customers),
        groups=None if row.groups is None else frozenset(row.groups),
        max_transfer_minor=row.max_transfer_minor,
    )
