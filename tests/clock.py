"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
"""What time it is in a test, unless it says otherwise. A Monday."""


class SetClock:
    """The time of a test's choosing, as `delegation.clock.Clock`."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **step: float) -> None:
        """Move on, by the arguments of `timedelta`."""
        self.now += timedelta(**step)
