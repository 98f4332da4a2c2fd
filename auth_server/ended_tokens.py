"""Tokens that end before their time: here at once, and at the resources by a security event.

Whoever ends the tokens of a session, an agent or a grant has locked its row; so has whoever issues them.
In which order: `auth_server.lock_order`.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from auth_server.lock_order import lock
from auth_server.security_events import delegation_ended, party_disabled, person_changed, tokens_ended
from auth_server.tables import IssuedToken, RefreshToken


def revoke_token(db: Session, token: IssuedToken, now: datetime) -> None:
    """End one access token, and what was exchanged for it (RFC 7009 §2.1)."""
    tokens_ended(db, _end(db, now, IssuedToken.jti == token.jti), now)


def revoke_family(db: Session, family: str, now: datetime) -> None:
    """End every token that came of one authorization code (RFC 6749 §4.1.2, RFC 9700 §4.14.2)."""
    _end_refresh_tokens(db, now, RefreshToken.family == family)
    tokens_ended(db, _end(db, now, IssuedToken.family == family), now)


def revoke_session(db: Session, sid: str, now: datetime) -> None:
    """End every token that came of one sign-on session."""
    _end_refresh_tokens(db, now, RefreshToken.sid == sid)
    tokens_ended(db, _end(db, now, IssuedToken.sid == sid), now)


def revoke_delegations(db: Session, sub: str, agent: str, now: datetime) -> None:
    """End every token under which the agent acts for the customer."""
    ended = _end(db, now, IssuedToken.sub == sub, IssuedToken.client_id == agent)
    delegation_ended(db, sub, agent, ended, now)


def revoke_agent(db: Session, agent: str, now: datetime) -> None:
    """End every token that the agent holds, its actor tokens included, for good."""
    party_disabled(db, agent, _end(db, now, IssuedToken.client_id == agent), now)


def revoke_person(db: Session, sub: str, now: datetime) -> None:
    """End every token that came of a person's sign-ons, and every one under which somebody acts for them."""
    _end_refresh_tokens(db, now, RefreshToken.sub == sub)
    party_disabled(db, sub, _end(db, now, IssuedToken.sub == sub), now)


def end_at_resources(db: Session, sub: str, now: datetime) -> None:
    """End a person's tokens at the resources alone: here each request reads anew what the person may do."""
    live = select(IssuedToken).where(IssuedToken.sub == sub, IssuedToken.expires_at > now)
    person_changed(db, sub, db.scalars(live).all(), now)


def _end(db: Session, now: datetime, *which: ColumnElement[bool]) -> list[IssuedToken]:
    """Mark tokens as revoked, and return those of them that had not expired yet."""
    unended = (*which, IssuedToken.revoked_at.is_(None))
    lock(db, IssuedToken, *unended)
    rows = db.scalars(
        update(IssuedToken).where(*unended).values(revoked_at=now).returning(IssuedToken),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    return [row for row in rows if row.expires_at > now]


def _end_refresh_tokens(db: Session, now: datetime, which: ColumnElement[bool]) -> None:
    unended = (which, RefreshToken.revoked_at.is_(None))
    lock(db, RefreshToken, *unended)
    db.execute(update(RefreshToken).where(*unended).values(revoked_at=now))
