"""One service as a child process with a log file."""

import signal
import subprocess
import sys
from pathlib import Path

from delegation.healthcheck import unreadiness


class ServiceProcess:
    """A started service, which ends when told to, and by itself when this process is gone."""

    def __init__(self, name: str, port: int, environment: dict[str, str], log: Path) -> None:
        """Start `python -m deploy.service`, in a session of its own so Ctrl-C reaches only the caller."""
        self.name = name
        self.port = port
        self.log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.service", name, str(port)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; negative is the number of the signal that ended it."""
        return self._process.poll()

    @property
    def end(self) -> str | None:
        """None while the process runs, else how it ended, e.g. `ended with code 1`."""
        if self.exit_code is None:
            return None
        if self.exit_code < 0:
            return f"was ended by {signal.Signals(-self.exit_code).name}"
        return f"ended with code {self.exit_code}"

    def unreadiness(self) -> str | None:
        """Return None when the service can do its work, else what it lacks."""
        return unreadiness(self.port)

    def last_lines(self, count: int = 15) -> str:
        """Return the end of what this process, not an earlier one, wrote to its log."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-count:]) or "(it wrote nothing)"

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def wait_or_kill(self, timeout_seconds: float) -> None:
        """Return when the process has ended; kill it after the given time."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
