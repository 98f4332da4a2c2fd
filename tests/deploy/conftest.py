"""A checkout in which the real `deploy` runs five services that do next to nothing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local_settings import SERVICES
from tests.free_ports import free_ports

_REPOSITORY = Path(__file__).parents[2]
_WITHIN_SECONDS = 30.0

_SERVICE = """
import os, signal
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from delegation.health import health_routes

def create_app():
    if os.environ.get("FAILS"):
        raise SystemExit("the reason stands in the log")
    told = Route("/environment", lambda request: JSONResponse(dict(os.environ, pid=os.getpid())))
    return Starlette(routes=[*health_routes({}), told])
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the real `delegation` and `deploy` packages and five tiny services."""
    for package in ("delegation", "deploy"):
        shutil.copytree(
            _REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for service in SERVICES:
        (tmp_path / service).mkdir()
        (tmp_path / service / "app.py").write_text(_SERVICE)
    return tmp_path


class Demo:
    """A running `python -m deploy.local`."""

    def __init__(self, checkout: Path, environment: dict[str, str]) -> None:
        self._output = checkout / f"output-{time.monotonic_ns()}"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local"],
                cwd=checkout,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._output.read_text()

    def wait_until_ready(self) -> None:
        """Return when it has printed the address to open."""
        until(lambda: "Open http" in self.output or self.process.poll() is not None)
        assert "Open http" in self.output, self.output

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        return self.process.wait(_WITHIN_SECONDS)


def until(happened: Callable[[], bool]) -> None:
    """Return as soon as something happened; fail when it does not within half a minute."""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def listening(port: int) -> bool:
    """Tell whether something accepts connections on this port."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def free_port_base() -> int:
    """A PORT_BASE whose five ports are free."""
    return free_ports(len(SERVICES))[0]


@pytest.fixture
def start(checkout: Path) -> Iterator[Callable[..., Demo]]:
    """Start demos with the given settings; what still runs afterwards is killed."""
    demos: list[Demo] = []

    def start_demo(**settings: str) -> Demo:
        demos.append(Demo(checkout, {"PATH": os.environ["PATH"], **settings}))
        return demos[-1]

    yield start_demo
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGTERM)
            demo.wait()
