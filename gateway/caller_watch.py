"""A caller that goes away while it is being served: then there is nobody to serve."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final

from gateway.request_body import CallerGone

_BEFORE_LOOKING_SECONDS: Final = 0.1
"""Most calls are over before that, and cost no task that looks."""


class CallerWatches:
    """The calls that nobody looks after yet; one timer serves for all, while there are any."""

    def __init__(self) -> None:
        self._new: set[CallerWatch] = set()
        self._old: set[CallerWatch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: "CallerWatch") -> None:
        """Have a call looked after, unless it is over soon."""
        self._new.add(watch)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_BEFORE_LOOKING_SECONDS, self._look)

    def remove(self, watch: "CallerWatch") -> None:
        """Forget a call that is over."""
        self._new.discard(watch)
        self._old.discard(watch)

    def _look(self) -> None:
        self._timer = None
        due, self._old, self._new = self._old, self._new, set()
        for watch in due:
            watch.look()
        if self._old:
            self._timer = asyncio.get_running_loop().call_later(_BEFORE_LOOKING_SECONDS, self._look)


class CallerWatch:
    """Breaks its block off with `CallerGone` when the caller has gone; `gone` returns when it has.

    Raises:
        CallerGone: it has. The block saw `asyncio.CancelledError`, as with `asyncio.timeout`.
    """

    def __init__(self, watches: CallerWatches, gone: Callable[[], Awaitable[None]]) -> None:
        self._watches = watches
        self._gone = gone
        self._watching: asyncio.Task[None] | None = None
        self._is_gone = False

    def __enter__(self) -> None:
        self._task: asyncio.Task[object] = asyncio.current_task()  # type: ignore[assignment]
        self._cancelling = self._task.cancelling()
        self._watches.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watches.remove(self)
        if self._watching is not None:
            self._watching.cancel()
        if self._is_gone and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise CallerGone from error

    def look(self) -> None:
        """Look from now on whether the caller has gone."""
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        await self._gone()
        self._is_gone = True
        self._task.cancel()
