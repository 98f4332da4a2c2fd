"""Envoy with our decisions, judged, and then our gateway: `python -m docs.conformance.envoy_decisions.start`.

The exit status is 0 if both keep every rule that applies, with the same verdicts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from docs.conformance.foreign import judge, serving, virtual_environment

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[2]
PORT, KEYLESS_PORT, ISSUER_PORT, BACKEND_PORT = 9820, 9821, 9822, 9823
DECISIONS_PORT, KEYLESS_DECISIONS_PORT, NOBODYS_PORT = 9824, 9825, 9
GATEWAY_REPORT: Final = FOLDER / "data" / "gateway"


def main() -> int:
    """Judge Envoy and the gateway one after the other, and compare."""
    program = str(virtual_environment(FOLDER.parent / "envoy") / "envoy")
    with (
        _envoy(program, PORT, DECISIONS_PORT, ISSUER_PORT),
        _envoy(program, KEYLESS_PORT, KEYLESS_DECISIONS_PORT, NOBODYS_PORT),
    ):
        status = judge(FOLDER)
    with (
        _ours("create_app", PORT, _settings(PORT, ISSUER_PORT)),
        _ours("create_app", KEYLESS_PORT, _settings(KEYLESS_PORT, NOBODYS_PORT)),
    ):
        status = max(status, judge(FOLDER, report=GATEWAY_REPORT))
    if "--only" in sys.argv:
        return status
    envoy, gateway = _verdicts(FOLDER / "report"), _verdicts(GATEWAY_REPORT)
    for rule, verdict in envoy.items():
        if verdict != gateway[rule]:
            sys.stderr.write(f"{rule}: Envoy {verdict}, the gateway {gateway[rule]}\n")
            status = 1
    return status


@contextmanager
def _envoy(program: str, port: int, decisions_port: int, issuer_port: int) -> Iterator[None]:
    settings = _settings(port, issuer_port)
    export = [sys.executable, "-m", "gateway", "policy", "export", "--format", "envoy"]
    addresses = ["--listen", f"127.0.0.1:{port}", "--decision-service", f"http://127.0.0.1:{decisions_port}"]
    configuration = FOLDER / "data" / f"{port}.yaml"
    configuration.parent.mkdir(exist_ok=True)
    exported = subprocess.run(
        [*export, *addresses], env=os.environ | settings, stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    configuration.write_bytes(exported.stdout)
    command = [program, "--use-dynamic-base-id", "--log-level", "warning", "--config-path", configuration]
    with _ours("create_decision_service", decisions_port, settings), serving(command, FOLDER, port):
        yield


@contextmanager
def _ours(factory: str, port: int, settings: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "uvicorn", f"gateway.app:{factory}", "--factory", "--port", str(port)]
    protocol = ["--http", "delegation.http_protocol:HttpProtocol", "--ws", "none"]
    quiet = ["--no-access-log", "--no-server-header", "--log-level", "warning"]
    with serving([*command, *protocol, *quiet], FOLDER, port, settings):
        yield


def _settings(port: int, issuer_port: int) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "ISSUER": "https://issuer.conformance.example",
        "JWKS_URI": f"http://127.0.0.1:{issuer_port}/jwks",
        "RESOURCE_METADATA_URL": f"http://127.0.0.1:{port}/.well-known/oauth-protected-resource",
        "UPSTREAM_URL": f"http://127.0.0.1:{BACKEND_PORT}",
        "DATA_DIR": str(FOLDER / "data" / str(port)),
    }


def _verdicts(report: Path) -> dict[str, str]:
    results = json.loads((report / "report.json").read_text())["results"]
    return {one["id"]: one["verdict"] for one in results}


if __name__ == "__main__":
    raise SystemExit(main())
