"""Where and with what a run was made."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.cores import CONTENDER, REST
from benchmarks.load import program
from benchmarks.service import ROOT
from docs.conformance.envoy.start import FOLDER as ENVOY
from docs.conformance.oidc_provider.start import FOLDER as OIDC_PROVIDER

_PACKAGES: Final = (
    "uvicorn",
    "uvloop",
    "httptools",
    "starlette",
    "fastapi",
    "httpx2",
    "SQLAlchemy",
    "PyJWT",
    "cryptography",
)
_NUMBER: Final = re.compile(r"\d+\.\d+(\.\d+)?")


def machine() -> dict[str, str]:
    """Return what the machine is."""
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    kibibytes = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{int(kibibytes[1]) / 1024 / 1024:.0f} GiB" if kibibytes else "",
        "system": f"{platform.system()} {platform.release()}",
        "cores": f"contender on {CONTENDER}; load, resource and this program on {REST}",
    }


def versions() -> dict[str, str]:
    """Return the versions of all that is measured or measured with.

    Raises:
        CannotMeasure: a program is not installed.
    """
    found = {"Python": platform.python_version()}
    found |= {name: version(name) for name in _PACKAGES}
    found["Envoy"] = (ENVOY / "requirements.txt").read_text().strip().rpartition("==")[2]
    found |= json.loads((OIDC_PROVIDER / "package.json").read_text())["dependencies"]
    found["Node.js"] = _said(program("node", "nodejs"), "--version")
    found["nginx"] = _said(program("nginx", "nginx"), "-v")
    found["wrk"] = _said(program("wrk", "wrk"), "-v")
    return found


def commit() -> str:
    """Return the commit that was measured, and whether anything in it was changed."""
    head = _git("rev-parse", "--short=12", "HEAD")
    changed = subprocess.run(["git", "-C", ROOT, "diff", "--quiet", "HEAD"], check=False).returncode  # noqa: S607
    return f"{head} with changes" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.strip() or "unknown"


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = _NUMBER.search(done.stdout + done.stderr)
    return found[0] if found else "unknown"
