"""`make reset`: back to the first state, without the data that the demo and the Compose stack have made."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from typing import Final

from deploy.instance import DATA, CannotRun, only_run

_COMPOSE_DOWN: Final = ("docker", "compose", "--profile", "*", "down", "--volumes", "--remove-orphans")


def remove_local_data() -> str:
    """Delete the data of every local instance and say so.

    Raises:
        CannotRun: one is running; nothing was deleted.
    """
    if not DATA.exists():
        return "Local data: there was none."
    with ExitStack() as held:
        for folder in filter(lambda path: path.is_dir(), DATA.iterdir()):
            held.enter_context(only_run(folder))
        shutil.rmtree(DATA)
    return f"Local data: removed {DATA}/."


def remove_compose_data() -> str:
    """End the Compose stack, delete its volumes, and say so."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "Compose: no Docker engine answers, so there was nothing to do."
    down = subprocess.run(_COMPOSE_DOWN, capture_output=True, text=True)
    if down.returncode:
        return f"Compose: not reset, because `{' '.join(_COMPOSE_DOWN)}` failed:\n{down.stderr}"
    return "Compose: the stack is down and its volumes are removed."


if __name__ == "__main__":
    try:
        print(remove_local_data(), remove_compose_data(), sep="\n")
    except CannotRun as error:
        sys.exit(f"make reset: nothing was removed, because {error}")
