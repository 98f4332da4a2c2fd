"""Delegation grants: what a customer allows an agent, given on the consent page, withdrawn at any time."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, select, update
from sqlalchemy.orm import Session

from auth_server.ended_tokens import revoke_delegations
from auth_server.lock_order import lock
from auth_server.tables import Customer, DelegationGrant
from delegation.scope import Scope


def in_force(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a grant counts at this time."""
    return and_(DelegationGrant.withdrawn_at.is_(None), DelegationGrant.expires_at > now)


def grant_in_force(db: Session, sub: str, agent: str, now: datetime) -> DelegationGrant | None:
    """Return what the customer allows the agent at this time, or None."""
    return db.scalar(_latest(sub, agent, now))


def hold_grant(db: Session, sub: str, agent: str, now: datetime) -> DelegationGrant | None:
    """Return the same, and keep it from being withdrawn until this transaction is over.

    Whoever delegates under a grant holds it first: so nothing is delegated while it is withdrawn.
    """
    return db.scalar(_latest(sub, agent, now).with_for_update())


def _latest(sub: str, agent: str, now: datetime) -> Select[DelegationGrant]:
    return (
        select(DelegationGrant)
        .where(DelegationGrant.sub == sub, DelegationGrant.agent == agent, in_force(now))
        .order_by(DelegationGrant.created_at.desc())
        .limit(1)
    )


def grants_of(db: Session, sub: str, now: datetime) -> Sequence[DelegationGrant]:
    """Return all that the customer allows at this time, newest first."""
    return db.scalars(
        select(DelegationGrant)
        .where(DelegationGrant.sub == sub, in_force(now))
        .order_by(DelegationGrant.created_at.desc())
    ).all()


def give_grant(
    db: Session,
    sub: str,
    agent: str,
    scope: Scope,
    now: datetime,
    life: timedelta,
    *,
    max_transfer_minor: int | None = None,
) -> DelegationGrant:
    """Keep what the customer allows the agent; it takes the place of what they allowed it before.

    `max_transfer_minor` is the largest transfer that they were told of, None if they were told of none. If
    what they allowed before was more, what the agent has of it ends.
    """
    # One decision at a time: of two at once both would stay in force.
    db.get(Customer, sub, with_for_update=True)
    earlier = (
        DelegationGrant.sub == sub,
        DelegationGrant.agent == agent,
        DelegationGrant.withdrawn_at.is_(None),
    )
    lock(db, DelegationGrant, *earlier)
    before = hold_grant(db, sub, agent, now)
    db.execute(update(DelegationGrant).where(*earlier).values(withdrawn_at=now))
    if before is not None and (
        Scope.parse(before.scope) - scope or _is_more(before.max_transfer_minor, max_transfer_minor)
    ):
        revoke_delegations(db, sub, agent, now)
    grant = DelegationGrant(
        grant_id=secrets.token_urlsafe(16),
        sub=sub,
        agent=agent,
        scope=str(scope),
        created_at=now,
        expires_at=now + life,
        max_transfer_minor=max_transfer_minor,
    )
    db.add(grant)
    return grant


def _is_more(before: int | None, after: int | None) -> bool:
    """Tell whether a limit is higher than the one that takes its place; None is no limit."""
    return after is not None and (before is None or before > after)


def withdraw_grant(db: Session, sub: str, grant_id: str, now: datetime) -> DelegationGrant | None:
    """End one of the customer's grants in force, and what the agent has of it; None if there is no such."""
    grant = db.get(DelegationGrant, grant_id, with_for_update=True)
    if grant is None or grant.sub != sub or grant.withdrawn_at is not None or grant.expires_at <= now:
        return None
    grant.withdrawn_at = now
    revoke_delegations(db, sub, grant.agent, now)
    return grant
