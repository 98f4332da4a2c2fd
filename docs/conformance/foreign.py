"""Products that were not written here, for their start scripts: install, start, judge, end."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.jws import KeyPair

HERE: Final = Path(__file__).parent
_START_SECONDS: Final = 30
_FAREWELL_SECONDS: Final = 10


def virtual_environment(folder: Path) -> Path:
    """Install `requirements.txt` into the folder's own `.venv`, once; return where its programs are."""
    programs = folder / ".venv" / "bin"
    installed = folder / ".venv" / "installed.txt"
    wanted = (folder / "requirements.txt").read_text()
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder / ".venv"], check=True)
        pip: list[str | Path] = [
            programs / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "-r", folder / "requirements.txt"], check=True)
        installed.write_text(wanted)
    return programs


def node_modules(folder: Path) -> None:
    """Install what `package-lock.json` pins into the folder's own `node_modules`, once."""
    installed = folder / "node_modules" / "installed.json"
    wanted = (folder / "package-lock.json").read_text()
    if not installed.exists() or installed.read_text() != wanted:
        npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(npm, cwd=folder, check=True)
        installed.write_text(wanted)


def debian_packages(folder: Path) -> Path:
    """Unpack the packages that `packages.txt` pins below `data/root`, once; return that folder."""
    root, unpacked = folder / "data" / "root", folder / "data" / "unpacked.txt"
    wanted = (folder / "packages.txt").read_text()
    if not unpacked.exists() or unpacked.read_text() != wanted:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        subprocess.run(["apt-get", "download", "-qq", *wanted.split()], cwd=root, check=True)
        for package in root.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        unpacked.write_text(wanted)
    return root


@contextmanager
def serving(
    command: Sequence[str | Path], folder: Path, port: int, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server from its start to the end of the block; gives its process id.

    Its output goes to `data/PORT.log`.

    Raises:
        RuntimeError: something else listens on its port already, or it ends or is not there in time.
    """
    if _listens(port):
        raise RuntimeError(f"something listens on port {port} already")
    log = folder / "data" / f"{port}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | dict(environment or {}), stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it does not start; see {log}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def client_keys(*names: str) -> tuple[dict[str, str], dict[str, str]]:
    """Make a key for each client: `NAME_KEY` is the private one in PEM, `NAME_JWK` the public one."""
    private, public = {}, {}
    for name in names:
        pair = KeyPair()
        pem = pair.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        private[f"{name}_KEY"] = pem.decode()
        public[f"{name}_JWK"] = json.dumps(pair.public_jwk)
    return private, public


def judge(folder: Path, environment: Mapping[str, str] | None = None, report: Path | None = None) -> int:
    """Run the suite on the folder's target file, and leave its report there; return the exit status.

    `report` is another folder for the report.

    Arguments of the start script are the suite's: `--only RS-5`, for instance.
    """
    suite: list[str | Path] = [sys.executable, "-m", "tests.e2e", "--target", folder / "target.toml"]
    arguments = sys.argv[1:]
    report_options: list[str | Path] = (
        [] if "--only" in arguments else ["--report", report or folder / "report"]
    )
    return subprocess.run(
        [*suite, *report_options, *arguments],
        cwd=HERE.parent.parent,
        env=os.environ | dict(environment or {}),
        check=False,
    ).returncode


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
