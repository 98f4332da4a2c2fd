"""`python3 -m deploy.virtual_environment dev`: makes .venv hold what requirements/dev.txt pins, once.

Runs on the machine's own Python before anything is installed, so it uses the standard library alone.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

_VENV: Final = Path(".venv")
_PYTHON: Final = _VENV / "bin" / "python"
_UNFINISHED: Final = _VENV / "unfinished"
_LAST_LINES: Final = 40


def fill(lock: Path) -> None:
    """Make .venv hold what the lock file pins, each package checked against its hash; no time if it does.

    Two callers take turns. An environment whose making was interrupted is made anew.

    Raises:
        SystemExit: this Python cannot make virtual environments, or the install failed; says what to do.
    """
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = _VENV / f"{lock.stem}.sha256"
    with Path(__file__).open() as turn:  # any file that outlives .venv would do
        fcntl.flock(turn, fcntl.LOCK_EX)
        usable = not _UNFINISHED.exists() and _has_this_python()
        if usable and stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"Installing {lock} into {_VENV}; this is done once and takes a minute.", flush=True)
        if not usable:
            _make()
        _UNFINISHED.touch()
        _install(lock)
        stamp.write_text(wanted)
        _UNFINISHED.unlink()


def _has_this_python() -> bool:
    version = "import sys; print(sys.version_info[:2])"
    try:
        found = subprocess.run([_PYTHON, "-c", version], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.stdout.strip() == str(sys.version_info[:2])


def _make() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        raise SystemExit(
            f"{sys.executable} cannot make virtual environments. On Debian, Ubuntu: apt install python3-venv"
        )
    shutil.rmtree(_VENV, ignore_errors=True)
    _VENV.mkdir(exist_ok=True)
    _UNFINISHED.touch()
    venv.create(_VENV, with_pip=True)


def _install(lock: Path) -> None:
    # Not compiled: most modules are never imported, and the others are compiled at their first import.
    pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-compile", "--no-deps"]
    count, lines = 0, []
    with subprocess.Popen(
        [str(_PYTHON), *pip, "--require-hashes", "--requirement", str(lock)],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            count += line.startswith(("Collecting ", "Processing "))
            if sys.stdout.isatty():
                print(f"\r  {count} packages", end="", flush=True)
    print(f"\r  {count} packages", flush=True)
    if process.returncode:
        raise SystemExit("".join(lines[-_LAST_LINES:]) + f"\nThe install of {lock} failed; see above.")


if __name__ == "__main__":
    try:
        fill(Path("requirements", f"{sys.argv[1]}.txt"))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; the next make does it again.")
