"""The agent under test, suspended for a while in the target's registry."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal

from tests.e2e.target_file import AgentRegistryFile
from tests.e2e.verdict import UnsoundRun

_COMMAND_SECONDS: Final = 120

Transition = Literal["suspend", "resume"]
Switch = Callable[[Transition], None]
"""Suspends the agent, or lets it go on; returns when it is done."""


class SwitchingProgram:
    """The programs of `[agent_registry]`."""

    def __init__(self, section: AgentRegistryFile, environment: Mapping[str, str]) -> None:
        self._section = section
        self._environment = environment

    def __call__(self, transition: Transition) -> None:
        """Run the program.

        Raises:
            UnsoundRun: it cannot be run, or fails.
        """
        command = self._section.suspend if transition == "suspend" else self._section.resume
        try:
            subprocess.run(
                command,
                check=True,
                timeout=_COMMAND_SECONDS,
                env=dict(self._environment),
                stdout=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UnsoundRun(f"agent_registry.{transition} failed: {error}") from error


@contextmanager
def suspended(switch: Switch) -> Iterator[None]:
    """Suspend the agent, and let it go on afterwards, whatever happens: other checks need it."""
    switch("suspend")
    try:
        yield
    finally:
        switch("resume")
