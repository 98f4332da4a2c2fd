"""Sign-ons that have begun and not come back: state, nonce, code verifier, and the page to return to."""

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Engine, select

from banking_app.database import SIGN_ON_ATTEMPT as ATTEMPT
from banking_app.database import hash_of, new_secret
from banking_app.encryption import Unreadable, Vault
from delegation.clock import Clock, utc_now

LIFE: Final = timedelta(minutes=10)
_PER_BROWSER: Final = 8
"""How many tabs of one browser may sign on at once; the oldest attempt makes room."""
_IN_ALL: Final = 5_000


class Attempt(BaseModel):
    """One sign-on under way. All but `next_page` are secrets that are used once."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    state: str = Field(default_factory=new_secret, repr=False)
    nonce: str = Field(default_factory=new_secret, repr=False)
    code_verifier: str = Field(default_factory=new_secret, repr=False)
    next_page: str


class UnknownAttempt(Exception):
    """No such attempt of this browser: never begun here, too old, or used already."""


class SignOnAttempts:
    """Attempts by state, each bound to the browser that began it and good for one return."""

    def __init__(self, engine: Engine, vault: Vault, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock

    def begin(self, browser: str, next_page: str) -> Attempt:
        """Start an attempt for the browser that holds the pre-login cookie `browser`."""
        attempt = Attempt(next_page=next_page)
        with self._engine.begin() as connection:
            connection.execute(ATTEMPT.delete().where(ATTEMPT.c.expires_at <= self._now()))
            connection.execute(
                ATTEMPT.insert().values(
                    state_hash=hash_of(attempt.state),
                    browser_hash=hash_of(browser),
                    expires_at=self._now() + int(LIFE.total_seconds()),
                    sealed=self._vault.seal(attempt),
                )
            )
            _keep_newest(connection, _PER_BROWSER, hash_of(browser))
            _keep_newest(connection, _IN_ALL)
        return attempt

    def take(self, browser: str, state: str) -> Attempt:
        """Return the attempt and forget it, so that no second return can use it.

        Raises:
            UnknownAttempt: there is none of this state for this browser.
        """
        with self._engine.begin() as connection:
            row = connection.execute(
                ATTEMPT.delete()
                .where(ATTEMPT.c.state_hash == hash_of(state), ATTEMPT.c.browser_hash == hash_of(browser))
                .returning(ATTEMPT.c.sealed, ATTEMPT.c.expires_at)
            ).one_or_none()
        if row is None or row.expires_at <= self._now():
            raise UnknownAttempt("no sign-on of this browser has this state")
        try:
            return self._vault.unseal(row.sealed, Attempt)
        except Unreadable:
            raise UnknownAttempt("the sign-on was begun under another key") from None

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _keep_newest(connection: Connection, count: int, browser_hash: str | None = None) -> None:
    of_browser = [ATTEMPT.c.browser_hash == browser_hash] if browser_hash else []
    surplus = (
        select(ATTEMPT.c.state_hash)
        .where(*of_browser)
        .order_by(ATTEMPT.c.expires_at.desc(), ATTEMPT.c.state_hash)
        .offset(count)
    )
    connection.execute(ATTEMPT.delete().where(ATTEMPT.c.state_hash.in_(surplus)))
