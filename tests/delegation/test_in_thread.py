"""Blocking work off the event loop comes back with its result or error, and nobody leaves before its end."""

import asyncio
import threading
from collections.abc import Callable
from typing import NoReturn

import anyio
import pytest

from delegation import in_thread as module
from delegation.in_thread import in_thread
from delegation.trace import current_trace_id, start_trace


def _fail() -> None:
    raise KeyError("its own")


def test_a_result_or_an_error_comes_back() -> None:
    async def run() -> None:
        assert await in_thread(divmod, 7, 2) == (3, 1)
        assert await in_thread(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]
        with pytest.raises(KeyError, match="its own"):
            await in_thread(_fail)

    asyncio.run(run())


def test_it_runs_in_another_thread_in_the_callers_context() -> None:
    async def run() -> None:
        trace_id = start_trace().trace_id
        assert await in_thread(current_trace_id) == trace_id
        assert await in_thread(threading.get_ident) != threading.get_ident()

    asyncio.run(run())


def test_work_that_comes_one_after_the_other_has_one_thread() -> None:
    async def run() -> None:
        assert len({await in_thread(threading.get_ident) for _ in range(20)}) == 1

    asyncio.run(run())


def test_work_that_comes_together_runs_together() -> None:
    async def run() -> None:
        barrier = threading.Barrier(8, timeout=5)
        await asyncio.gather(*(in_thread(barrier.wait) for _ in range(8)))

    asyncio.run(run())


def test_of_more_work_than_there_are_threads_all_is_done() -> None:
    async def run() -> None:
        free = threading.Event()
        waiting = [asyncio.create_task(in_thread(free.wait, 5)) for _ in range(40)]
        more = [asyncio.create_task(in_thread(abs, -number)) for number in range(200)]
        await asyncio.sleep(0)
        free.set()
        assert await asyncio.gather(*more) == list(range(200))
        assert all(await asyncio.gather(*waiting))

    asyncio.run(run())


def test_who_is_cancelled_waits_for_the_end() -> None:
    async def run() -> None:
        began, free, ended = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            began.set()
            free.wait(5)
            ended.set()

        task = asyncio.create_task(in_thread(work))
        await in_thread(began.wait, 5)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        free.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(run())


def test_an_event_loop_that_has_ended_stops_no_thread() -> None:
    for _ in range(3):
        assert asyncio.run(in_thread(divmod, 7, 2)) == (3, 1)


class _Work:
    """Work that ends when it may."""

    def __init__(self) -> None:
        self.began, self.free, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.began.set()
        self.free.wait(5)
        self.ended.set()


async def _cancelled_twice(work: _Work, while_cancelled: Callable[[], object]) -> None:
    task = asyncio.create_task(in_thread(work))
    await in_thread(work.began.wait, 5)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.01)
    while_cancelled()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _cancelled_by_a_scope(work: _Work, while_cancelled: Callable[[], object]) -> None:
    async with anyio.create_task_group() as group:  # as the MCP server runs its tools in
        group.start_soon(in_thread, work)
        await in_thread(work.began.wait, 5)
        group.cancel_scope.cancel()
        asyncio.get_running_loop().call_later(0.05, while_cancelled)


@pytest.mark.parametrize("cancelled", [_cancelled_twice, _cancelled_by_a_scope])
def test_who_is_cancelled_again_waits_for_the_end_all_the_same(cancelled: Callable[..., object]) -> None:
    work = _Work()
    seen: list[bool] = []

    def while_cancelled() -> None:
        seen.append(work.ended.is_set())
        work.free.set()

    async def run() -> None:
        await cancelled(work, while_cancelled)  # type: ignore[misc]
        seen.append(work.ended.is_set())

    asyncio.run(run())
    assert seen == [False, True]


def test_an_iterator_that_ends_is_an_error_and_keeps_nobody_waiting() -> None:
    async def run() -> None:
        with pytest.raises(RuntimeError) as raised:
            await asyncio.wait_for(in_thread(next, iter(())), 5)
        assert isinstance(raised.value.__cause__, StopIteration)

    asyncio.run(run())


def test_threads_that_cannot_start_take_no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unstartable(threading.Thread):
        def start(self) -> NoReturn:
            raise RuntimeError("can't start new thread")

    async def run() -> None:
        threads = module._Threads()
        monkeypatch.setattr(module, "_threads", threads)
        with monkeypatch.context() as patch:
            patch.setattr(module, "Thread", Unstartable)
            for _ in range(40):
                with pytest.raises(RuntimeError, match="can't start"):
                    await asyncio.wait_for(in_thread(int), 1)
        assert await asyncio.wait_for(in_thread(abs, -1), 5) == 1

    asyncio.run(run())
