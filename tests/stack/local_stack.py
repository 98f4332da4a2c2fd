"""The stack as processes of this machine: a demo that runs already, or one of the tests' own."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from deploy.instance import DATA
from deploy.local_settings import SERVICES, port_base, ports, process_environment, settings
from deploy.service_process import ServiceProcess
from tests.free_ports import free_ports
from tests.stack.deployment import ours
from tests.stack.stack import NoStack, Stack
from tests.stack.waiting import until

_READY_WITHIN_SECONDS = 60.0
_END_WITHIN_SECONDS = 10.0


class DemoStack(Stack):
    """A running `make demo`. It ends when one of its services ends, so none of them is stopped here."""

    can_be_stopped = False

    def __init__(self, port: dict[str, int], data: Path) -> None:
        self._port = port
        self._data = data
        self.deployment = ours({service: f"http://localhost:{number}" for service, number in port.items()})

    def stop(self, *services: str) -> None:
        raise NotImplementedError("`make demo` ends when one of its services ends")

    def kill(self, service: str) -> None:
        self.stop(service)

    def start(self, *services: str) -> None:
        self.stop(*services)

    def output(self, service: str) -> str:
        return self._log(service).read_text(errors="replace")

    def run_python(self, service: str, code: str, *arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=self._environment(service),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"Python beside {service} failed: {ran.stderr.splitlines()[-1:]}"
        return ran.stdout

    def python_beside(self, service: str, code: str) -> tuple[tuple[str, ...], dict[str, str]]:
        return (sys.executable, "-c", code), self._environment(service)

    def _log(self, service: str) -> Path:
        return self._data / "logs" / f"{service}.log"

    def _environment(self, service: str) -> dict[str, str]:
        told = settings(self._port)[service] | {"DATA_DIR": str(self._data / service)}
        return process_environment(service, told, _this_machine())


class OwnStack(DemoStack):
    """Five processes that the tests have started, with data of their own."""

    can_be_stopped = True

    def __init__(self, port: dict[str, int], data: Path) -> None:
        super().__init__(port, data)
        self._running: dict[str, ServiceProcess] = {}
        (data / "logs").mkdir()

    def stop(self, *services: str) -> None:
        processes = [self._running.pop(service) for service in services if service in self._running]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait_or_kill(_END_WITHIN_SECONDS)

    def kill(self, service: str) -> None:
        self._running.pop(service).wait_or_kill(0)

    def start(self, *services: str) -> None:
        for service in services:
            self._running[service] = ServiceProcess(
                service, self._port[service], self._environment(service), self._log(service)
            )
        for service in services:
            process = self._running[service]
            until(partial(_is_ready, process), f"{service} is ready", _READY_WITHIN_SECONDS)


def _is_ready(process: ServiceProcess) -> bool:
    if process.exit_code is not None:
        raise NoStack(f"{process.name} ended with code {process.exit_code}:\n{process.last_lines()}")
    return process.unreadiness() is None


@contextmanager
def own_stack() -> Iterator[Stack]:
    """Start a stack on free ports, its data in a temporary folder, and end it afterwards."""
    with ExitStack() as ending:
        data = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="delegation-bank-")))
        stack = OwnStack(dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)), data)
        ending.callback(stack.stop, *SERVICES)
        stack.start(*SERVICES)
        yield stack


def running_demo() -> Stack:
    """Return the `make demo` that PORT_BASE names.

    Raises:
        NoStack: none runs there.
    """
    port = ports(os.environ)
    data = (DATA / str(port_base(os.environ))).resolve()
    with socket.socket() as caller:
        if caller.connect_ex(("127.0.0.1", port["banking_app"])) or not (data / "logs").is_dir():
            raise NoStack(f"no `make demo` with its data in {data} answers on port {port['banking_app']}")
    return DemoStack(port, data)


def _this_machine() -> dict[str, str]:
    """Return the environment without what a developer has set for a service or for the model."""
    prefixes = ("OPENAI_", *(f"{service.upper()}_" for service in SERVICES))
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
