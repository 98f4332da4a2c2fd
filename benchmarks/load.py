"""Load by wrk, which is written in C: over so many connections, each of which sends when it is answered."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cores import REST, cpu_seconds, on

_SCRIPT: Final = Path(__file__).with_name("wrk.lua")


class CannotMeasure(Exception):
    """Something that the measurement needs is not there, or went wrong; the text says what to do."""


@dataclass(frozen=True)
class Sample:
    """One measurement. Latencies are as the client sees them, with the time in its own queue."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Processor time of the contender for each request, in microseconds."""
    errors: int
    """Connections that failed, and answers other than 2xx and 3xx."""


def program(name: str, package: str) -> str:
    """Return where a program is.

    Raises:
        CannotMeasure: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")  # nginx, on Debian
    if not found:
        raise CannotMeasure(f"{name} is not installed: apt-get install {package}")
    return found


def write_requests(path: Path, requests: Iterable[bytes]) -> None:
    """Write the requests that `measure` sends in turn, each whole, head and body."""
    with path.open("wb") as file:
        for one in requests:
            file.write(b"%d\n%b" % (len(one), one))


def measure(port: int, requests: Path, *, connections: int, seconds: int, pid: int) -> Sample:
    """Send requests for so many seconds; `pid` is the process whose processor time counts, 0 for none.

    Raises:
        CannotMeasure: wrk cannot be had, or says something else.
    """
    command = [program("wrk", "wrk"), "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", "10s", "--script", str(_SCRIPT)]
    used = cpu_seconds(pid) if pid else 0.0
    done = subprocess.run(
        [*on(REST), *command, f"http://127.0.0.1:{port}", "--", str(requests)],
        capture_output=True,
        text=True,
        check=False,
    )
    used = cpu_seconds(pid) - used if pid else 0.0
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise CannotMeasure(f"wrk: {done.stderr or done.stdout}") from error
    count = max(1, said["requests"])
    return Sample(
        requests=said["requests"],
        requests_per_second=said["requests"] / said["seconds"],
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
        cpu_us=used * 1e6 / count,
        errors=said["errors"],
    )
