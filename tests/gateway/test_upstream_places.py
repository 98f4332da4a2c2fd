"""The line of those that wait for a connection to the resource: nobody is forgotten, no place is lost."""

import asyncio

import pytest

from gateway.upstream_places import Places

pytestmark = pytest.mark.asyncio


async def in_line(places: Places, count: int) -> list[asyncio.Task[None]]:
    """Put so many in line."""
    tasks = [asyncio.create_task(places.wait()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_places_are_given_in_turn() -> None:
    places = Places(1)
    assert places.take()
    first, second = await in_line(places, 2)
    assert places.waiting == 2
    places.give_back()
    assert not places.take()  # it is the first one's
    await first
    assert not second.done()
    places.give_back()
    await second
    places.give_back()
    assert places.take()


async def test_who_leaves_the_line_holds_nobody_up() -> None:
    places = Places(1)
    assert places.take()
    first, second = await in_line(places, 2)
    first.cancel()
    await asyncio.sleep(0)
    assert places.waiting == 1
    places.give_back()
    await second


async def test_a_place_that_comes_when_its_taker_leaves_is_the_next_ones() -> None:
    places = Places(1)
    assert places.take()
    first, second = await in_line(places, 2)
    places.give_back()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    places.give_back()
    assert places.take()


async def test_a_place_that_is_given_back_to_one_who_is_just_leaving_is_free() -> None:
    places = Places(1)
    assert places.take()
    [first] = await in_line(places, 1)
    first.cancel()
    places.give_back()
    # All this is one turn of the event loop: the first does not know yet that it has left.
    async with asyncio.timeout(1):
        await places.wait()
    with pytest.raises(asyncio.CancelledError):
        await first
    places.give_back()
    assert places.waiting == 0
    assert [places.take(), places.take()] == [True, False]


async def test_no_more_than_there_are_places_go_on_at_once() -> None:
    places, inside, most = Places(3), 0, 0

    async def go() -> None:
        nonlocal inside, most
        await places.wait()
        inside += 1
        most = max(most, inside)
        try:
            await asyncio.sleep(0.001)
        finally:
            inside -= 1
            places.give_back()

    tasks = [asyncio.create_task(go()) for _ in range(50)]
    for task in tasks[::7]:
        await asyncio.sleep(0.0005)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert places.waiting == 0
    assert [places.take() for _ in range(4)] == [True, True, True, False]
