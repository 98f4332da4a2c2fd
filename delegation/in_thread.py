"""Blocking work off the event loop, which is never left alone with what it uses."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, ParamSpec, TypeVar

from anyio import CancelScope

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_MOST_THREADS: Final = 20
"""As many as there are connections to PostgreSQL: more would only wait for one of these."""


async def in_thread(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run a function in a thread and return its result.

    A thread cannot be cancelled: whoever is cancelled meanwhile waits for its end, so that a database is not
    closed under it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    work = partial(copy_context().run, function, *args, **kwargs)
    _threads.take(_Job(work, loop, done))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        # Whoever cancels may do so again; anyio does until its scope is left, but for what is shielded.
        with CancelScope(shield=True):
            while not done.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([done])
        raise


class _Job:
    """A piece of work, and who waits for it."""

    def __init__(
        self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any]
    ) -> None:
        self._work = work
        self._loop = loop
        self._done = done

    def do(self) -> Callable[[], object]:
        """Do it, and return what tells of its end."""
        try:
            tell = partial(self._done.set_result, self._work())
        except StopIteration as error:  # the one that no future takes: who waits would wait forever
            ended = RuntimeError("an iterator ended unforeseen")
            ended.__cause__ = error
            tell = partial(self._done.set_exception, ended)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for who waits
            tell = partial(self._done.set_exception, error)
        return partial(self._loop.call_soon_threadsafe, tell)


class _Threads:
    """Threads for the whole process. The one that became idle last has the next job.

    The standard library's take turns: each begins cold, and interrupts whom it is to help.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: list[SimpleQueue[_Job]] = []
        self._waiting: deque[_Job] = deque()
        self._count = 0

    def take(self, job: _Job) -> None:
        """Have the job done, when there is a thread for it."""
        with self._lock:
            if self._idle:
                self._idle.pop().put(job)
                return
            if self._count == _MOST_THREADS:
                self._waiting.append(job)
                return
            self._count += 1
        try:
            Thread(target=self._work, args=(job,), name="in_thread", daemon=True).start()
        except BaseException:
            with self._lock:
                self._count -= 1  # or the places of those that could not start would never be free again
            raise

    def _work(self, job: _Job) -> None:
        own: SimpleQueue[_Job] = SimpleQueue()
        while True:
            tell = job.do()
            with self._lock:
                following = self._waiting.popleft() if self._waiting else None
                if following is None:
                    self._idle.append(own)
            with suppress(RuntimeError):  # the event loop has ended, and nobody waits any more
                tell()
            del job, tell  # what they hold need not live until the next one comes
            job = following or own.get()


_threads: Final = _Threads()
