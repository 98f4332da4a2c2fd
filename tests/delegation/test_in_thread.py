"""Blocking work off the event loop comes back with its result or error, and nobody leaves before its end."""

import asyncio
import threading

import pytest

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
