"""What only one run of the demo at a time can have: its data folder and its ports."""

import errno
import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DATA: Final = Path("data")
"""Below it, each instance's folder is named for its PORT_BASE."""
_LOCK: Final = "lock"


class CannotRun(Exception):
    """Why the demo cannot start or go on, and what to do about it."""


@contextmanager
def only_run(data: Path) -> Iterator[None]:
    """Hold an instance's data folder. The hold ends with the process, however that ends.

    Raises:
        CannotRun: another process holds it.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(
                f"a demo runs with its data in {data}. Ctrl-C ends it; another PORT_BASE starts one beside it"
            ) from None
        yield


def check_free(service: str, port: int) -> None:
    """Make sure that nothing listens where a browser would look for this service.

    Raises:
        CannotRun: the port is taken.
    """
    if _is_taken(socket.AF_INET, "127.0.0.1", port) or _is_taken(socket.AF_INET6, "::1", port):
        raise CannotRun(
            f"port {port}, for {service}, is taken. Move all five with `make demo PORT_BASE=8601`, or this "
            f"one with `make demo {service.upper()}_PORT={port + 100}`"
        )


def _is_taken(family: socket.AddressFamily, host: str, port: int) -> bool:
    # Asked twice: SO_REUSEADDR, without which the ports of ended connections count as taken, lets some
    # systems bind beside a listener on all addresses. Without IPv6 the error is another than EADDRINUSE.
    try:
        with socket.socket(family, socket.SOCK_STREAM) as caller:
            caller.settimeout(1)
            if caller.connect_ex((host, port)) == 0:
                return True
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False
