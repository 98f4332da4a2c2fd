"""How several processes share the test files."""

import os
from pathlib import Path

import pytest

STACK = Path(__file__).with_name("stack")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run the tests: one more than cores, for each waits for services now and then."""
    return min((os.cpu_count() or 1) + 1, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that need the five services, which take longest; each process starts a stack."""
    items.sort(key=lambda item: STACK not in item.path.parents)
