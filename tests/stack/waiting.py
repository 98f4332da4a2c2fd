"""Waiting for a condition, and never for a length of time."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx2

Found = TypeVar("Found")
_BETWEEN_LOOKS_SECONDS = 0.1


def until(look: Callable[[], Found], what: str, within_seconds: float = 30.0) -> Found:
    """Return what `look` finds as soon as it is truthy; a service that does not answer yet has not.

    Raises:
        AssertionError: it did not happen in time; says what, and what was seen last.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        seen: object
        try:
            seen = found = look()
            if found:
                return found
        except (httpx2.HTTPError, AssertionError) as error:
            seen = error
        assert time.monotonic() < deadline, f"not within {within_seconds} s: {what}; last seen: {seen!r}"
        time.sleep(_BETWEEN_LOOKS_SECONDS)
