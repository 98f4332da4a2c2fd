"""`@modelcontextprotocol/conformance`, at our stack: `python -m docs.conformance.mcp_conformance.start`.

Its scenarios know nothing of tokens: in this process, a layer before the gateway gives a token to each
request that has none. Node.js 22 or newer is needed.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from docs.conformance.foreign import node_modules
from tests.e2e.in_process import Wrap, in_process

FOLDER: Final = Path(__file__).parent
REVISIONS: Final = ("2025-11-25", "2026-07-28")
_SHOWN_CHARACTERS: Final = 160
EVERY_SCOPE: Final = "account:read_balance account:read_transactions account:transfer"


def main() -> int:
    """Start the stack in this process, run the suite against it, end it; keep what it found."""
    node_modules(FOLDER)
    found: dict[str, dict[str, dict[str, str]]] = {}
    with (
        contextlib.redirect_stdout(sys.stderr),
        in_process() as bank,
        bank.target() as target,
        bank.gateway.inside(_with_token(target.resource.token(EVERY_SCOPE))),
    ):
        endpoint = ["server", "--url", f"{bank.environment['GATEWAY_URL']}/mcp"]
        for revision in REVISIONS:
            found[revision] = _run([*endpoint, "--requirements", revision])
        issuer = bank.environment["AUTH_SERVER_URL"]
        metadata = ["authorization", "--url", issuer, "--scenario", "authorization-server-metadata-endpoint"]
        found["authorization server"] = _run(metadata)
        addresses = {bank.environment[name]: name for name in ("GATEWAY_URL", "AUTH_SERVER_URL")}
    text = json.dumps(found, indent=2) + "\n"
    for address, name in addresses.items():
        text = text.replace(address, f"${name}")
    (FOLDER / "report").mkdir(exist_ok=True)
    (FOLDER / "report" / "checks.json").write_text(text)
    return told(found, deviations())


def _with_token(token: str) -> Wrap:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def with_token(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and all(name != b"authorization" for name, _ in scope["headers"]):
                headers = [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]
                scope = dict(scope) | {"headers": headers}
            await app(scope, receive, send)

        return with_token

    return wrap


def _run(arguments: list[str]) -> dict[str, dict[str, str]]:
    """Return what came of each check, by scenario: its status, with the message where it is no success."""
    with tempfile.TemporaryDirectory() as folder:
        program = ["node", "node_modules/@modelcontextprotocol/conformance/dist/index.js"]
        subprocess.run(
            [*program, *arguments, "-o", folder],
            cwd=FOLDER,
            env=os.environ | {"NO_COLOR": "1"},
            stdout=sys.stderr,
            check=False,
        )
        files = sorted(Path(folder).rglob("checks.json"))
        if not files:
            raise RuntimeError(f"the suite tried nothing: node {' '.join(arguments)}; is this Node.js 22?")
        return {_scenario(file): _checks(json.loads(file.read_text())) for file in files}


def _scenario(file: Path) -> str:
    """Return the scenario that a folder is named for: `server-NAME-2026-11-28T…`."""
    return re.sub(r"^(server|authorization-server)-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)


def _checks(checks: list[dict[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in checks:
        told = f"{one['status']} {one.get('errorMessage') or ''}".strip()[:_SHOWN_CHARACTERS]
        if not found.get(one["id"], "").startswith("FAILURE"):
            found[one["id"]] = told
    return found


def deviations() -> list[dict[str, Any]]:
    """Return what is known to fail, with the reasons."""
    named: list[dict[str, Any]] = tomllib.loads((FOLDER / "deviations.toml").read_text())["deviation"]
    return named


def told(found: dict[str, dict[str, dict[str, str]]], named: list[dict[str, Any]]) -> int:
    """Say what fails and is not named among the deviations, and what is named and does not fail."""
    status, met = 0, set()
    for run, scenarios in found.items():
        passed = failed = 0
        for scenario, checks in scenarios.items():
            for check, said in checks.items():
                passed += said.startswith("SUCCESS")
                if not said.startswith("FAILURE"):
                    continue
                failed += 1
                reasons = [number for number, one in enumerate(named) if _is_of(one, scenario, check)]
                met |= set(reasons)
                if not reasons:
                    status = 1
                    sys.stdout.write(f"not explained: {run}, {scenario}, {check}: {said}\n")
        sys.stdout.write(f"{run}: {passed} checks pass, {failed} fail\n")
    for number, one in enumerate(named):
        if number not in met:
            status = 1
            sys.stdout.write(f"fails no longer: {one['scenarios']}\n")
    return status


def _is_of(deviation: dict[str, Any], scenario: str, check: str) -> bool:
    return any(fnmatch(scenario, one) for one in deviation["scenarios"]) and any(
        fnmatch(check, one) for one in deviation.get("checks", ["*"])
    )


if __name__ == "__main__":
    raise SystemExit(main())
