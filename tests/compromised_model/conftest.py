"""One bank for all injections."""

from collections.abc import Iterator

import pytest

from tests.compromised_model.opened_world import TRANSPORTS, opened_world
from tests.compromised_model.world import World


@pytest.fixture(scope="session", params=TRANSPORTS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with opened_world(request.param) as world:
        yield world
