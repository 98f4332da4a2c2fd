"""Programs of the target file: bounded in time and in what they may say; what they were told stays untold."""

import subprocess
import threading
from collections.abc import Mapping
from typing import Final

from tests.e2e.verdict import UnsoundRun

_SECONDS: Final = 60.0
_LINE_SECONDS: Final = 20.0
_END_SECONDS: Final = 5.0
_MOST_BYTES: Final = 1024 * 1024


class Program:
    """A program that is started once; it is asked by a line and answers with one.

    Raises:
        UnsoundRun: it cannot be started; `field` is the field of the target file that names it.
    """

    def __init__(self, field: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._field = field
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment)
            )
        except (OSError, ValueError) as error:
            raise UnsoundRun(f"{field} cannot be started: {command[0]!r}") from error

    def ask(self, question: str = "", seconds: float = _LINE_SECONDS) -> str:
        """Send a line, if there is one to send, and return the line that comes back.

        Raises:
            UnsoundRun: the program has ended, says nothing in time, too much, or no text.
        """
        assert self._process.stdin
        assert self._process.stdout
        alarm = threading.Timer(seconds, self._process.kill)
        alarm.start()
        try:
            if question:
                self._process.stdin.write(f"{question}\n".encode())
                self._process.stdin.flush()
            line = self._process.stdout.readline(_MOST_BYTES)
            return line.decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UnsoundRun(f"{self._field} has ended, or answers no text") from error
        finally:
            alarm.cancel()

    def close(self) -> int:
        """End the program, if it has not ended; return its exit status."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            return self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdout:
                self._process.stdout.close()


def token_of(field: str, command: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Run a program that prints a token, and return the first line that it prints.

    Raises:
        UnsoundRun: it fails, or prints nothing.
    """
    program = Program(field, command, environment)
    try:
        token = program.ask(seconds=_SECONDS)
    finally:
        status = program.close()
    if status or not token:
        raise UnsoundRun(f"{field}: {command[0]} gave no token, and ended with status {status}")
    return token
