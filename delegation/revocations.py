"""Which access tokens have ended before their time: what a resource knows of it, in memory."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from delegation.bearer import InvalidToken
from delegation.clock import Clock, utc_now
from delegation.security_event import Ended
from delegation.token import AccessToken
from delegation.unverifiable import Unverifiable

_CLOCK_SKEW: Final = timedelta(minutes=1)
"""How far the clocks of issuer and resource may be apart."""

LONGEST_TOKEN_LIFE: Final = timedelta(minutes=15)
"""An entry is kept for so long, and no token is taken that lives longer: so none is forgotten too early."""


class NewsUnavailable(Unverifiable):
    """Nothing has been heard for too long of tokens that have ended."""

    lack = "The news of ended tokens"


@dataclass(frozen=True, slots=True)
class Asked:
    """When a source was asked: by the clock (aware UTC), and by one that is never corrected (seconds)."""

    time: datetime
    monotonic: float


class Revocations:
    """What has ended. It is only good while its source is heard of: `heard` says when that was last."""

    def __init__(
        self, silence: timedelta, clock: Clock = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`silence` is how long nothing may be heard before every token is refused.

        Lengths are measured by `monotonic` (seconds), which no correction of the clock touches. `clock` only
        notices that time has jumped: then all that is known may be old.
        """
        self._silence = silence
        self._clock = clock
        self._monotonic = monotonic
        self._heard: Asked | None = None
        self._tokens: dict[str, float] = {}
        self._parties: dict[tuple[str, str | None], tuple[datetime, float]] = {}
        """By party and, where it is narrowed down, person: when it ended last, and until when that counts."""

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self._tokens) + len(self._parties)

    @property
    def is_current(self) -> bool:
        """Tell whether the source was heard of lately."""
        if self._heard is None:
            return False
        silence = self._silence.total_seconds()
        by_clock = abs((self._clock() - self._heard.time).total_seconds())
        return self._monotonic() - self._heard.monotonic < silence and by_clock < silence

    def now(self) -> "Asked":
        """Return the time, to be given to `heard` when the source has answered."""
        return Asked(self._clock(), self._monotonic())

    def heard(self, asked: "Asked") -> None:
        """Note that all is known that had happened when the source was asked."""
        self._heard = asked

    def add(self, ended: Ended) -> None:
        """Note what has ended; to note it again changes nothing. It is kept from now on, whenever it was."""
        until = self._monotonic() + (LONGEST_TOKEN_LIFE + _CLOCK_SKEW).total_seconds()
        if ended.jti is not None:
            self._tokens.setdefault(ended.jti, until)
        elif ended.party is not None:
            name = (ended.party, ended.sub)
            before = self._parties.get(name)
            self._parties[name] = (max(before[0], ended.time) if before else ended.time, until)

    def forget_old(self) -> None:
        """Drop what concerns no token any more."""
        now = self._monotonic()
        self._tokens = {jti: until for jti, until in self._tokens.items() if until > now}
        self._parties = {name: entry for name, entry in self._parties.items() if entry[1] > now}

    def check(self, token: AccessToken) -> None:
        """Let a token pass that has not ended.

        Raises:
            InvalidToken: it has, or it lives longer than what has ended is remembered.
            NewsUnavailable: that cannot be known now.
        """
        if not self.is_current:
            raise NewsUnavailable("nothing has been heard of ended tokens for too long")
        if token.expires_at - token.issued_at > LONGEST_TOKEN_LIFE:
            raise InvalidToken("The token lives longer than it could be ended.")
        if token.jti in self._tokens or (self._parties and self._has_ended_party(token)):
            raise InvalidToken("The token has ended: it, or what it depends on, was revoked.")

    def _has_ended_party(self, token: AccessToken) -> bool:
        return any(self._ended_before(token, name) for name in _names(token))

    def _ended_before(self, token: AccessToken, name: tuple[str, str | None]) -> bool:
        entry = self._parties.get(name)
        # Both in whole seconds, as `iat` is: what was issued in the event's own second is named by its jti.
        return entry is not None and int(token.issued_at.timestamp()) < int(entry[0].timestamp())


def _names(token: AccessToken) -> Iterator[tuple[str, str | None]]:
    """Yield whatever could have ended with an effect on this token."""
    yield token.subject, None
    for party in {token.client_id, *token.actors}:
        yield party, None
        yield party, token.subject
