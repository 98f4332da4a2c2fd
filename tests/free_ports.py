"""Ports for services that a test stops and starts again."""

import random
import socket

# Below the range from which systems take the near end of an outgoing connection: a port from there could be
# gone when the service wants it back.
_FIRST, _LAST = 20_000, 31_000


def free_ports(count: int) -> list[int]:
    """Return consecutive ports of which nothing listens on any."""
    while True:
        base = random.randrange(_FIRST, _LAST)
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
