"""Which tests stay together when several processes run them."""

from pathlib import Path

import pytest

STACK = Path(__file__).with_name("stack")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests share what its fixtures make; all that need the five services share one stack.

    Those come first: they are the longest of what one process has to do alone.
    """
    items.sort(key=lambda item: STACK not in item.path.parents)
    for item in items:
        group = STACK if STACK in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(str(group)))
