"""In which order files are taken up when several processes run them."""

from pathlib import Path

import pytest

STACK = Path(__file__).with_name("stack")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that need the five services, which take longest; each process starts a stack."""
    items.sort(key=lambda item: STACK not in item.path.parents)
