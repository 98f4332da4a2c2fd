"""The registry as requests read it: in their own transaction, so that a change counts at once."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth_server.agent_tables import RegisteredAgent
from auth_server.clients import AGENT_GRANTS, Agent
from auth_server.oauth_errors import InvalidClient
from delegation.scope import Scope


def find_agent(db: Session, agent_id: str) -> Agent | None:
    """Return an agent as it is registered now, in whichever state, or None."""
    row = db.get(RegisteredAgent, agent_id)
    return _agent(row) if row else None


def agents_named(db: Session, names: Collection[str]) -> dict[str, Agent]:
    """Return those of these identifiers that are agents', in whichever state."""
    rows = db.scalars(select(RegisteredAgent).where(RegisteredAgent.agent_id.in_(set(names))))
    return {row.agent_id: _agent(row) for row in rows}


def known_names(db: Session) -> set[str]:
    """Return every agent's identifier, and every audience at which one may act."""
    rows: Sequence[RegisteredAgent] = db.scalars(select(RegisteredAgent)).all()
    return {name for row in rows for name in (row.agent_id, *row.scopes)}


def hold_active(db: Session, authenticated: Agent) -> Agent:
    """Return the agent that has just authenticated, and keep it as it is until this transaction is over.

    Whoever suspends an agent waits for this, and ends what was issued meanwhile.

    Raises:
        InvalidClient: it is not active, or has other keys by now (RFC 6749 §5.2).
    """
    held = select(RegisteredAgent).where(RegisteredAgent.agent_id == authenticated.client_id)
    row = db.scalars(held.with_for_update(read=True)).one()
    agent = _agent(row)
    if not agent.is_active:
        raise InvalidClient(f"this agent is not active but {agent.state}; ask whoever is responsible for it")
    if (agent.jwks_uri, agent.jwks) != (authenticated.jwks_uri, authenticated.jwks):
        raise InvalidClient("this agent's keys have just changed; send a new assertion")
    return agent


def _agent(row: RegisteredAgent) -> Agent:
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
