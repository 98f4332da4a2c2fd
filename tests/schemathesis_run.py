"""schemathesis as a program of its own: the same requests each time."""

import subprocess
import sys
from pathlib import Path

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
MAX_SECONDS = 240


def schemathesis(url: str, token: str, folder: Path, max_examples: int, *options: str) -> None:
    """Call everything that the OpenAPI document describes; fail with schemathesis's own report."""
    (folder / "schemathesis.toml").write_text(f'[headers]\nAuthorization = "Bearer {token}"\n')
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
            *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(max_examples), "--generation-deterministic", "--request-timeout", "20"),
            *options,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout
