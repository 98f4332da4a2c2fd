"""What has expired is removed, so that the database does not grow with every question asked."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from auth_server.context import Context
from auth_server.event_streams import remove_old_events
from auth_server.lock_order import lock
from auth_server.tables import (
    AuthorizationCode,
    FailedSignOn,
    IssuedToken,
    RefreshToken,
    SignOnSession,
    UsedAssertion,
)
from delegation.in_thread import in_thread

_log = logging.getLogger(__name__)
_EVERY_SECONDS: Final = 600
_KEPT: Final = timedelta(hours=1)
"""Codes and refresh tokens are kept a while after their end, so that a late second use is still noticed."""


def remove_expired(db: Session, now: datetime) -> None:
    """Remove codes, tokens, sessions, assertions and events whose time is over. Grants stay."""
    quiet = FailedSignOn.last_at < now - _KEPT
    lock(db, FailedSignOn, quiet)
    db.execute(delete(FailedSignOn).where(quiet))
    for table in (SignOnSession, AuthorizationCode, RefreshToken, IssuedToken, UsedAssertion):
        expired = table.expires_at < now - _KEPT
        lock(db, table, expired)
        db.execute(delete(table).where(expired))
    remove_old_events(db, now)


async def remove_expired_regularly(context: Context) -> None:
    """Remove what has expired now and every ten minutes, until cancelled."""

    def once() -> None:
        with context.transaction() as db:
            remove_expired(db, context.now())

    while True:
        try:
            await in_thread(once)
        except SQLAlchemyError as error:
            _log.warning("could not remove what has expired, will try again: %s", type(error).__name__)
        await asyncio.sleep(_EVERY_SECONDS)
