"""A real Envoy for tests: its server comes from PyPI. What it asks runs in this process."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
from starlette.types import ASGIApp

from gateway.app import create_decision_service
from gateway.settings import Settings
from tests.free_ports import free_ports
from tests.serving import serve
from tests.stack.waiting import until

PROGRAM: Final = Path(sysconfig.get_path("scripts"), "envoy")


def exported(settings: Settings, *options: str) -> str:
    """Return what `policy export` writes with these settings.

    In a process of its own: the services in this one write records to the same output.
    """
    told = {name.upper(): str(value) for name, value in settings.model_dump(mode="json").items()}
    command = [sys.executable, "-m", "gateway", "policy", "export", "--format", "envoy", *options]
    return subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=True).stdout


@contextmanager
def serving_envoy(
    settings: Settings,
    folder: Path,
    *options: str,
    decision_service: ASGIApp | None = None,
    port: int | None = None,
) -> Iterator[str]:
    """Serve a policy by Envoy, with the decision service, and give Envoy's address.

    `folder` is for its files, `options` are those of the export.
    """
    port = port or free_ports(1)[0]
    with serve(decision_service or create_decision_service(settings)) as asked:
        addresses = ("--listen", f"127.0.0.1:{port}", "--decision-service", asked)
        configuration, log = folder / "envoy.yaml", folder / "envoy.log"
        configuration.write_text(exported(settings, *addresses, *options))
        program = (str(PROGRAM), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning")
        with log.open("w") as output:
            process = subprocess.Popen(
                [*program, "--config-path", str(configuration)], stdout=output, stderr=output
            )
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: httpx2.get(f"{url}/healthz").status_code == 200, f"Envoy serves; see {log}")
            yield url
        finally:
            process.terminate()
            process.wait(10)
