"""A real Envoy for tests: its server comes from PyPI. It asks a decision service that runs in this process."""

import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import httpx2

from gateway.__main__ import main
from gateway.app import create_decision_service
from gateway.settings import Settings
from tests.environment import environment
from tests.free_ports import free_ports
from tests.serving import serve
from tests.stack.waiting import until

PROGRAM = Path(sysconfig.get_path("scripts"), "envoy")


def exported(settings: Settings, *options: str) -> str:
    """Return what `policy export` writes with these settings."""
    text = StringIO()
    with environment(settings), redirect_stdout(text):
        assert main(["policy", "export", "--format", "envoy", *options]) == 0
    return text.getvalue()


@contextmanager
def serving_envoy(settings: Settings, folder: Path) -> Iterator[str]:
    """Serve the policy by Envoy and a decision service, and give Envoy's address; `folder` is for its files."""
    [port] = free_ports(1)
    with serve(create_decision_service(settings)) as decision_service:
        options = ("--listen", f"127.0.0.1:{port}", "--decision-service", decision_service)
        configuration = folder / "envoy.yaml"
        configuration.write_text(exported(settings, *options))
        command = [PROGRAM, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
        with (folder / "envoy.log").open("w") as log:
            process = subprocess.Popen([*command, "--config-path", configuration], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: httpx2.get(f"{url}/readyz").status_code == 200, f"Envoy serves; see {folder}/envoy.log")
            yield url
        finally:
            process.terminate()
            process.wait(10)
