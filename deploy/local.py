"""`make demo`: the five services as processes of this machine, until Ctrl-C."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.instance import DATA, CannotRun, check_free, only_run
from deploy.local_settings import WrongSetting, port_base, ports, process_environment, settings
from deploy.service_process import ServiceProcess

_READY_WITHIN_SECONDS: Final = 90.0
_END_WITHIN_SECONDS: Final = 8.0
_BETWEEN_LOOKS_SECONDS: Final = 0.2


def main() -> int:
    """Run the demo and return the exit code: 0 after Ctrl-C, 1 when something failed."""
    stop_asked = _listen_for_stop()
    try:
        port = ports(os.environ)
        data = (DATA / str(port_base(os.environ))).resolve()
        with only_run(data):
            for service, number in port.items():
                check_free(service, number)
            with started(port, data) as services:
                if until_ready(services, stop_asked):
                    print(
                        f"\nOpen http://localhost:{port['banking_app']}   (Ctrl-C ends the demo)", flush=True
                    )
                    until_stopped(services, stop_asked)
    except (CannotRun, WrongSetting) as error:
        print(f"\nmake demo: {error}", file=sys.stderr)
        return 1
    print("\nAll five services have ended.")
    return 0


def _listen_for_stop() -> Callable[[], bool]:
    # A flag, and not threading.Event: an Event set in a handler can wait for the very lock it interrupted.
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: asked.append(received))
    return lambda: bool(asked)


@contextmanager
def started(port: dict[str, int], data: Path) -> Iterator[list[ServiceProcess]]:
    """Start all services, and end all of them on leaving."""
    logs = data / "logs"
    logs.mkdir(exist_ok=True)
    print(f"Starting. Logs and records: {logs}/<service>.log", flush=True)
    services: list[ServiceProcess] = []
    try:
        for name, told in settings(port).items():
            environment = process_environment(name, told | {"DATA_DIR": str(data / name)}, os.environ)
            services.append(ServiceProcess(name, port[name], environment, logs / f"{name}.log"))
        yield services
    finally:
        for service in services:
            service.terminate()
        deadline = time.monotonic() + _END_WITHIN_SECONDS
        for service in services:
            service.wait_or_kill(max(0.0, deadline - time.monotonic()))


def until_ready(services: list[ServiceProcess], stop_asked: Callable[[], bool]) -> bool:
    """Print a line for each service as it becomes ready; return whether all are, rather than asked to stop.

    Raises:
        CannotRun: one ended, or was not ready in time.
    """
    began = time.monotonic()
    waiting = list(services)
    while waiting and not stop_asked():
        time.sleep(_BETWEEN_LOOKS_SECONDS)
        check_running(services)
        seconds = time.monotonic() - began
        for service in list(waiting):
            lacking = service.unreadiness()
            if lacking is None:
                waiting.remove(service)
                print(f"  {service.name:<12} ready on port {service.port} after {seconds:.1f} s", flush=True)
            elif seconds > _READY_WITHIN_SECONDS:
                raise CannotRun(f"{service.name} is not ready: {lacking}\nIts log: {service.log}")
    return not stop_asked()


def until_stopped(services: list[ServiceProcess], stop_asked: Callable[[], bool]) -> None:
    """Return when asked to stop.

    Raises:
        CannotRun: a service ended by itself.
    """
    while not stop_asked():
        time.sleep(_BETWEEN_LOOKS_SECONDS)
        check_running(services)


def check_running(services: list[ServiceProcess]) -> None:
    """Make sure that no service has ended.

    Raises:
        CannotRun: one has; with the last lines of its log.
    """
    for service in services:
        if service.end is not None:
            raise CannotRun(
                f"{service.name} {service.end}, so all were ended. The last lines of "
                f"{service.log}:\n{service.last_lines()}"
            )


if __name__ == "__main__":
    sys.exit(main())
