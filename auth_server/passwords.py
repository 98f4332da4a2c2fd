"""Passwords: argon2id, the same work for a user who does not exist, slower after several wrong ones."""

import math
import secrets
import threading
from datetime import datetime, timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from auth_server.tables import FailedSignOn, hashed

_FREE_TRIES: Final = 5
_LONGEST_WAIT_SECONDS: Final = 60
_FORGOTTEN_AFTER: Final = timedelta(minutes=15)


class Passwords:
    """Hashes and checks passwords; a few at a time, because each takes 19 MiB on purpose (OWASP)."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self._few_at_a_time = threading.BoundedSemaphore(4)

    def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is right; takes as long when there is no such customer (None)."""
        with self._few_at_a_time:
            try:
                return (
                    self._hasher.verify(password_hash or self._nobody, password) and password_hash is not None
                )
            except (VerificationError, InvalidHashError):
                return False


def wait_after(failures: int) -> timedelta:
    """Return how long to wait before the next try, after so many wrong passwords in a row."""
    if failures < _FREE_TRIES:
        return timedelta(0)
    doubled = min(failures - _FREE_TRIES, 6)
    return timedelta(seconds=min(2**doubled, _LONGEST_WAIT_SECONDS))


def seconds_to_wait(db: Session, username: str, now: datetime) -> int:
    """Count this try, and return 0; or return the seconds to wait, and do not count it.

    The try is counted before the password is checked, so that many at once do not go uncounted.
    """
    key = hashed(username.strip().lower())
    row = db.get(FailedSignOn, key, with_for_update=True)
    if row is None:
        row = FailedSignOn(username_hash=key, failures=0, last_at=now)
        db.add(row)
    if now - row.last_at > _FORGOTTEN_AFTER:
        row.failures = 0
    left = (row.last_at + wait_after(row.failures) - now).total_seconds()
    if left > 0:
        return math.ceil(left)
    row.failures, row.last_at = row.failures + 1, now
    return 0


def forget_failures(db: Session, username: str) -> None:
    """Begin to count anew, after a right password."""
    row = db.get(FailedSignOn, hashed(username.strip().lower()))
    if row is not None:
        db.delete(row)
