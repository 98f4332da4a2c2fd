"""One bank for all injections."""

from collections.abc import Iterator

import pytest

from tests.compromised_model.world import TRANSPORTS, World, opened_world


@pytest.fixture(scope="session", params=TRANSPORTS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with opened_world(request.param) as world:
        yield world
