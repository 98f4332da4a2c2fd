"""One bank for all injections by REST, and one for all by MCP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.compromised_model.opened_world import TRANSPORTS, opened_world
from tests.compromised_model.world import World

Worlds = Callable[[str], World]


@pytest.fixture(scope="session")
def worlds() -> Iterator[Worlds]:
    """Open the world of each transport once: pytest would open that of a parameter anew for each test."""
    with ExitStack() as ending:
        opened: dict[str, World] = {}

        def of(transport: str) -> World:
            if transport not in opened:
                opened[transport] = ending.enter_context(opened_world(transport))
            return opened[transport]

        yield of


@pytest.fixture(params=TRANSPORTS)
def world(request: pytest.FixtureRequest, worlds: Worlds) -> World:
    return worlds(request.param)
