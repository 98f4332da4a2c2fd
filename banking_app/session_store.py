"""Signed-on sessions. The browser holds an opaque id; everything else stays here, sealed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Engine

from banking_app.database import SESSION, hash_of, new_secret
from banking_app.encryption import Unreadable, Vault
from delegation.clock import Clock, utc_now

_TOUCH_AFTER_SECONDS = 30
_ROLES = ("administrator", "owner", "auditor")


class IssuedToken(BaseModel):
    """An access token for one resource, and when it ends (aware UTC)."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    access_token: str = Field(repr=False)
    expires_at: datetime


class Session(BaseModel):
    """What the app knows of a signed-on customer. `tokens` is by resource (RFC 8707)."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sub: str
    name: str
    signed_on_at: datetime
    id_token: str = Field(repr=False)
    id_token_claims: Mapping[str, Any] = Field(repr=False)
    refresh_token: str = Field(repr=False)
    tokens: Mapping[str, IssuedToken] = Field(repr=False)
    csrf_token: str = Field(default_factory=new_secret, repr=False)

    @property
    def role(self) -> str | None:
        """Return the role of a member of staff, None for a customer.

        It says which pages are shown. What somebody may do, the authorization server decides at each request.
        """
        role = self.id_token_claims.get("role")
        return role if role in _ROLES else None


class SessionStore:
    """Sessions by the hash of their id, ended by age, by idleness, or by sign-out."""

    def __init__(
        self, engine: Engine, vault: Vault, idle_seconds: int, max_seconds: int, clock: Clock = utc_now
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._idle_seconds = idle_seconds
        self._max_seconds = max_seconds
        self._clock = clock

    def create(self, session: Session) -> str:
        """Keep a new session and return its id, for the cookie alone; drops what has ended meanwhile."""
        session_id, now = new_secret(), self._now()
        with self._engine.begin() as connection:
            connection.execute(SESSION.delete().where(~self._alive(now)))
            connection.execute(
                SESSION.insert().values(
                    id_hash=hash_of(session_id),
                    created_at=now,
                    used_at=now,
                    sealed=self._vault.seal(session),
                )
            )
        return session_id

    def find(self, session_id: str) -> Session | None:
        """Return the live session, and note that it was used; None when there is none."""
        now = self._now()
        this = SESSION.c.id_hash == hash_of(session_id)
        with self._engine.connect() as connection:
            row = connection.execute(SESSION.select().where(this, self._alive(now))).one_or_none()
        if row is None:
            return None
        if now - row.used_at >= _TOUCH_AFTER_SECONDS:
            with self._engine.begin() as connection:
                connection.execute(SESSION.update().where(this).values(used_at=now))
        try:
            return self._vault.unseal(row.sealed, Session)
        except Unreadable:
            return None

    def replace(self, session_id: str, session: Session) -> bool:
        """Keep the session's new state; False when it was ended meanwhile, and nothing was kept."""
        with self._engine.begin() as connection:
            found = connection.execute(
                SESSION.update()
                .where(SESSION.c.id_hash == hash_of(session_id))
                .values(sealed=self._vault.seal(session))
            )
        return found.rowcount == 1

    def end(self, session_id: str) -> None:
        """Forget the session and every token in it."""
        with self._engine.begin() as connection:
            connection.execute(SESSION.delete().where(SESSION.c.id_hash == hash_of(session_id)))

    def _alive(self, now: int) -> ColumnElement[bool]:
        return (SESSION.c.created_at > now - self._max_seconds) & (
            SESSION.c.used_at > now - self._idle_seconds
        )

    def _now(self) -> int:
        return int(self._clock().timestamp())
