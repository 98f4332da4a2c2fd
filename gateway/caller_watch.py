"""A caller that goes away while it is being served: then there is nobody to serve."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final

from gateway.request_body import CallerGone

_BEFORE_LOOKING_SECONDS: Final = 0.1
"""Most calls are over before that, and cost no task that looks."""


class CallerWatch:
    """Breaks its block off with `CallerGone` when the caller has gone; `gone` returns when it has.

    Raises:
        CallerGone: it has. The block saw `asyncio.CancelledError`, as with `asyncio.timeout`.
    """

    def __init__(self, gone: Callable[[], Awaitable[None]]) -> None:
        self._gone = gone
        self._watching: asyncio.Task[None] | None = None
        self._is_gone = False

    async def __aenter__(self) -> None:
        self._task: asyncio.Task[object] = asyncio.current_task()  # type: ignore[assignment]
        self._cancelling = self._task.cancelling()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_BEFORE_LOOKING_SECONDS, self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if self._is_gone and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise CallerGone from error

    def _look(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        await self._gone()
        self._is_gone = True
        self._task.cancel()
