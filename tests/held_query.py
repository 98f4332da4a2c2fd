"""An audit query that is under way, held until the test has written beside it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from delegation.record_query import answers


@contextmanager
def held_query(monkeypatch: pytest.MonkeyPatch, module: str, ask: Callable[[], Any]) -> Iterator[list[Any]]:
    """Ask, and hold the query's transaction open meanwhile; its answer is in the list afterwards."""
    reading, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        found = answers(*arguments)
        reading.set()
        assert go_on.wait(20)
        return found

    monkeypatch.setattr(f"{module}.answers", slow)
    answered: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        try:
            assert reading.wait(10)
            yield answered
        finally:
            go_on.set()
        answered.append(asked.result())
