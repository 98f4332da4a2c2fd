"""How often an operation may be done: by an agent, and by an agent for one customer."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from delegation.token import AccessToken

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,5})/(second|minute|hour)\Z")

_ROUNDING: Final = 1e-6
"""In seconds: what a time of today loses as a floating-point number, and more."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in any `seconds`, on the long run; up to `calls` of them may come at once."""

    calls: int
    seconds: int

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a rate such as `30/minute`.

        Raises:
            ValueError: it is none.
        """
        found = _WRITTEN.match(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError("must be like 30/minute: a whole number per second, minute or hour")
        return cls(int(found[1]), _SECONDS[found[2]])

    def __str__(self) -> str:
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.calls}/{unit}"


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that has no room: whose it is, what it is, and after how many seconds it has."""

    of: str
    rate: Rate
    wait_seconds: int


Key = tuple[str, str, str, str]
Limit = tuple[str, Key, Rate]
"""Whose limit it is, what its calls are counted under, and how many there may be."""


class LimitsUnavailable(Exception):
    """It cannot be known how many calls there were; the text says why, for a log."""


class Limits:
    """The calls of late, in memory: one number for each key, and at most `capacity` of those.

    It is the generic cell rate algorithm, a leaky bucket that keeps only when it will be empty. When every
    place is taken by a key that still counts, a new one has no room: better to refuse than to forget.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._empty_at: dict[Key, float] = {}
        self._swept_at = -math.inf

    async def take(self, limits: list[Limit], now: datetime) -> Exceeded | None:
        """Count one more call, or return the limit that has no room for it. Waits for nothing."""
        exceeded = self.exceeded(limits, now)
        if exceeded is None:
            self.count(limits, now)
        return exceeded

    def exceeded(self, limits: list[Limit], now: datetime) -> Exceeded | None:
        """Return the limit that has no room for one more call for the longest; counts nothing."""
        second = now.timestamp()
        found = None
        for of, key, rate in limits:
            if key in self._empty_at or self._room(second):
                wait = math.ceil(self._next(key, rate, second) - second - rate.seconds - _ROUNDING)
            else:
                wait = rate.seconds
            if wait > (found.wait_seconds if found else 0):
                found = Exceeded(of, rate, wait)
        return found

    def count(self, limits: list[Limit], now: datetime) -> None:
        """Count a call that was permitted."""
        second = now.timestamp()
        for _, key, rate in limits:
            self._empty_at[key] = self._next(key, rate, second)

    def _next(self, key: Key, rate: Rate, second: float) -> float:
        # A clock that was set back must not make anybody wait for longer than the whole of a period.
        begin = min(max(self._empty_at.get(key, second), second), second + rate.seconds)
        return begin + rate.seconds / rate.calls

    def _room(self, second: float) -> bool:
        if len(self._empty_at) < self._capacity:
            return True
        if second >= self._swept_at + 1 or second < self._swept_at:  # all are looked at once a second at most
            self._swept_at = second
            self._empty_at = {key: until for key, until in self._empty_at.items() if until > second}
        return len(self._empty_at) < self._capacity


def limits_of(operation: str, agent: Rate | None, customer: Rate | None, token: AccessToken) -> list[Limit]:
    """Return the limits that a call of this operation counts against."""
    if not token.actors:
        return []
    actor, found = token.actors[0], []
    if agent is not None:
        found.append(("this agent", (operation, actor, "agent", ""), agent))
    if customer is not None:
        found.append(
            ("this agent for this customer", (operation, actor, "customer", token.subject), customer)
        )
    return found
