"""Ports for services that a test stops and starts again."""

import os
import random
import socket
from typing import Final

# Below the range from which systems take the near end of an outgoing connection: a port from there could be
# gone when the service wants it back.
_FIRST, _LAST = 20_000, 31_000
_WORKERS: Final = 10
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
"""Which of the processes that run tests at once this one is: each takes ports from a part of its own."""


def free_ports(count: int) -> list[int]:
    """Return consecutive ports of which nothing listens on any."""
    while True:
        part = (_LAST - _FIRST) // _WORKERS
        base = _FIRST + _WORKER * part + random.randrange(part - count)
        ports = list(range(base, base + count))
        if all(_is_free(port) for port in ports):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
