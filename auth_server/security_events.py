"""What resources are told when tokens end before their time: an event in the same transaction.

So it is told if and only if it has happened, also when this server is killed at that moment.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auth_server.event_tables import SecurityEvent
from auth_server.tables import IssuedToken
from delegation.revocations import LONGEST_TOKEN_LIFE
from delegation.security_event import ACCOUNT_DISABLED, SESSION_REVOKED
from delegation.token import MAX_ACTOR_DEPTH

_KEPT: Final = LONGEST_TOKEN_LIFE + timedelta(minutes=1)
_AT_ONCE: Final = 500
"""How many names one statement takes."""


def tokens_ended(db: Session, live: Sequence[IssuedToken], now: datetime) -> None:
    """Tell that these tokens have ended, and with them all that was exchanged for them and still lives."""
    _tell_tokens(db, [*live, *_exchanged_for(db, live, now)], now)


def delegation_ended(db: Session, sub: str, agent: str, live: Sequence[IssuedToken], now: datetime) -> None:
    """Tell that all has ended under which an agent acts for one person; `live` are the tokens that ended."""
    _tell(db, SESSION_REVOKED, now, [{"party": agent, "sub": sub}])
    _tell_tokens(db, _of_this_second([*live, *_exchanged_for(db, live, now)], now), now)


def person_changed(db: Session, sub: str, live: Sequence[IssuedToken], now: datetime) -> None:
    """Tell that what resources have been shown of a person's rights counts no more; `live` goes on here."""
    _tell(db, SESSION_REVOKED, now, [{"party": sub}])
    _tell_tokens(db, _of_this_second(live, now), now)


def party_disabled(db: Session, party: str, live: Sequence[IssuedToken], now: datetime) -> None:
    """Tell that all has ended in which an agent or a person takes part; `live` are the tokens that ended."""
    _tell(db, ACCOUNT_DISABLED, now, [{"party": party}])
    _tell_tokens(db, _of_this_second([*live, *_exchanged_for(db, live, now)], now), now)


def _of_this_second(live: Sequence[IssuedToken], now: datetime) -> list[IssuedToken]:
    """Return those that a receiver cannot tell by `iat` from what is issued later in this second."""
    second = now.replace(microsecond=0)
    return [one for one in live if one.issued_at is None or one.issued_at >= second]


def _exchanged_for(db: Session, parents: Sequence[IssuedToken], now: datetime) -> list[IssuedToken]:
    """Return what was exchanged for these tokens and still lives, and what was exchanged for that."""
    found: list[IssuedToken] = []
    for _ in range(MAX_ACTOR_DEPTH):
        children: list[IssuedToken] = []
        for begin in range(0, len(parents), _AT_ONCE):
            of_these = IssuedToken.parent_jti.in_([one.jti for one in parents[begin : begin + _AT_ONCE]])
            children += db.scalars(select(IssuedToken).where(of_these, IssuedToken.expires_at > now))
        found += children
        parents = children
    return found


def _tell_tokens(db: Session, tokens: Sequence[IssuedToken], now: datetime) -> None:
    if tokens:
        _tell(db, SESSION_REVOKED, now, [{"ended_jti": one.jti} for one in tokens])


def _tell(db: Session, kind: str, now: datetime, subjects: Sequence[dict[str, str]]) -> None:
    common: dict[str, object] = {
        "kind": kind,
        "ended_jti": None,
        "party": None,
        "sub": None,
        "occurred_at": now,
        "expires_at": now + _KEPT,
    }
    db.execute(insert(SecurityEvent), [common | {"jti": secrets.token_hex(16)} | one for one in subjects])
