"""Which core does what, and what a process has used of it. Elsewhere than on Linux neither can be said."""

import os
import shutil
from pathlib import Path
from typing import Final

_CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
CONTENDER: Final = _CORES[:1]
"""Each contender has this core for all of its threads and processes."""
REST: Final = _CORES[1:] or _CORES
"""The others are for the load, the resource behind a gateway, and this program."""
ALL: Final = _CORES

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def on(cores: list[int]) -> list[str]:
    """Return the beginning of a command that runs the rest of it on these cores."""
    taskset = shutil.which("taskset")
    return [taskset, "--cpu-list", ",".join(map(str, cores))] if taskset else []


def keep_to(cores: list[int]) -> None:
    """Keep this process, and what it starts from now on, to these cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its living children have used; 0 if it cannot be had."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:  # it has ended meanwhile, or this is no Linux
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / _TICKS
    return own + sum(cpu_seconds(int(child)) for child in children)
