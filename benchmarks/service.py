"""A service of this repository, started as its image starts it."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.cores import on
from docs.conformance.foreign import serving

ROOT: Final = Path(__file__).parent.parent
_ENTRYPOINT: Final = re.compile(r"^ENTRYPOINT (\[.*?\])", re.MULTILINE | re.DOTALL)


def entry_point(service: str, port: int) -> list[str]:
    """Return the command of the service's image, listening on this port of 127.0.0.1."""
    [found] = _ENTRYPOINT.findall((ROOT / service / "Dockerfile").read_text())
    command: list[str] = json.loads(found.replace("\\\n", ""))
    for option, value in (("--host", "127.0.0.1"), ("--port", str(port))):
        command[command.index(option) + 1] = value
    return [sys.executable, *command[1:]]


@contextmanager
def running(
    command: list[str], folder: Path, port: int, cores: list[int], settings: Mapping[str, str]
) -> Iterator[int]:
    """Run a Python server of this repository, whose output goes below `folder`; gives its process id."""
    environment = {"PYTHONPATH": str(ROOT), **settings}
    with serving([*on(cores), *command], folder, port, environment) as pid:
        yield pid


@contextmanager
def running_service(
    service: str,
    folder: Path,
    port: int,
    cores: list[int],
    settings: Mapping[str, str],
    *,
    workers: int = 1,
    app: str = "",
) -> Iterator[int]:
    """Run a service until the end of the block, with its data below `folder`; gives its process id.

    `app` takes the place of the service's own application.
    """
    command = [*entry_point(service, port), "--workers", str(workers)]
    if app:
        command[command.index(f"{service}.app:create_app")] = app
    with running(command, folder, port, cores, {"DATA_DIR": str(folder), **settings}) as pid:
        yield pid
