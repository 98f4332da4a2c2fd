"""What resources are told when tokens end before their time: an event in the same transaction.

So it is told if and only if it has happened, also when this server is killed at that moment.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auth_server.event_tables import SecurityEvent
from auth_server.tables import IssuedToken
from delegation.revocations import LONGEST_TOKEN_LIFE
from delegation.security_event import ACCOUNT_DISABLED, SESSION_REVOKED

_KEPT: Final = LONGEST_TOKEN_LIFE + timedelta(minutes=1)
_MOST_GENERATIONS: Final = 8
_AT_ONCE: Final = 500
"""How many names one statement takes."""


def tokens_ended(db: Session, jtis: Sequence[str], now: datetime) -> None:
    """Tell that these tokens have ended, and with them all that was exchanged for them and still lives."""
    for _ in range(_MOST_GENERATIONS):
        if not jtis:
            return
        _tell(db, SESSION_REVOKED, now, [{"ended_jti": jti} for jti in jtis])
        jtis = _exchanged_for(db, jtis, now)


def delegation_ended(db: Session, sub: str, agent: str, live: Iterable[IssuedToken], now: datetime) -> None:
    """Tell that all has ended under which an agent acts for one person; `live` are the tokens that ended."""
    _tell(db, SESSION_REVOKED, now, [{"party": agent, "sub": sub}])
    tokens_ended(db, _of_this_second(live, now), now)


def party_disabled(db: Session, party: str, live: Iterable[IssuedToken], now: datetime) -> None:
    """Tell that all has ended in which an agent or a person takes part; `live` are the tokens that ended."""
    _tell(db, ACCOUNT_DISABLED, now, [{"party": party}])
    tokens_ended(db, _of_this_second(live, now), now)


def _of_this_second(live: Iterable[IssuedToken], now: datetime) -> list[str]:
    """Return those that a receiver cannot tell by `iat` from what is issued later in this second."""
    second = now.replace(microsecond=0)
    return [one.jti for one in live if one.issued_at is None or one.issued_at >= second]


def _exchanged_for(db: Session, jtis: Sequence[str], now: datetime) -> list[str]:
    found: list[str] = []
    for begin in range(0, len(jtis), _AT_ONCE):
        parents = IssuedToken.parent_jti.in_(jtis[begin : begin + _AT_ONCE])
        found += db.scalars(select(IssuedToken.jti).where(parents, IssuedToken.expires_at > now))
    return found


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
