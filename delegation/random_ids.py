"""Random identifiers: of the system's own source, which is asked for many at once."""

import os
import time
from collections import deque
from typing import Final

_AT_ONCE: Final = 256
_ready: Final[deque[str]] = deque()


def random_id() -> str:
    """Return 32 random hex digits, 128 bits; never the same twice, in any thread or process."""
    while True:
        try:
            return _ready.popleft()
        except IndexError:
            block = os.urandom(16 * _AT_ONCE).hex()
            _ready.extend(block[start : start + 32] for start in range(0, len(block), 32))


def ordered_id() -> str:
    """Return 32 hex digits: 12 are the time, in milliseconds since 1970, and the others 80 random bits.

    Where rows have such ids, the index has each new one beside the last, and not in a page of its own. It is
    what UUID version 7 is for (RFC 9562 §5.7), without its version and variant.
    """
    return f"{time.time_ns() // 1_000_000:012x}{random_id()[:20]}"


# A forked process must not use the same ones again.
os.register_at_fork(after_in_child=_ready.clear)
