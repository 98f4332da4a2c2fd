"""Random identifiers: of the system's own source, which is asked for many at once."""

import os
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


# A forked process must not use the same ones again.
os.register_at_fork(after_in_child=_ready.clear)
