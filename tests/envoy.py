"""A real Envoy for tests: its server comes from PyPI. What it asks runs in this process."""

import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final

import httpx2
from starlette.types import ASGIApp

from gateway.__main__ import main
from gateway.app import create_decision_service
from gateway.settings import Settings
from tests.environment import environment
from tests.free_ports import free_ports
from tests.serving import serve
from tests.stack.waiting import until

PROGRAM: Final = Path(sysconfig.get_path("scripts"), "envoy")


def exported(settings: Settings, *options: str) -> str:
    """Return what `policy export` writes with these settings."""
    text = StringIO()
    with environment(settings), redirect_stdout(text):
        assert main(["policy", "export", "--format", "envoy", *options]) == 0
    return text.getvalue()


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
