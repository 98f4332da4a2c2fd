"""The running stack under test, whichever way it runs."""

import json
from abc import ABC, abstractmethod
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from delegation.signing_key import SigningKey
from deploy.local_settings import SERVICES
from tests.stack.deployment import Deployment

_PRINT_CLIENT_KEY: Final = """
import os, pathlib
[key] = pathlib.Path(os.environ["DATA_DIR"]).glob("*.pem")
print(key.read_text())
"""


class NoStack(Exception):
    """There is no stack to test, and how to get one."""


class Stack(ABC):
    """The five services: where they are, what they printed, and how to end and start them."""

    can_be_stopped: bool
    """Whether `stop`, `kill` and `start` may be used: not on a demo that somebody else started."""

    deployment: Deployment

    @abstractmethod
    def stop(self, *services: str) -> None:
        """Ask services to end, and return when they have."""

    @abstractmethod
    def kill(self, service: str) -> None:
        """End a service with SIGKILL, and return when it has ended."""

    @abstractmethod
    def start(self, *services: str) -> None:
        """Start services that were ended, and return when all can do their work."""

    @abstractmethod
    def output(self, service: str) -> str:
        """Return all that a service has printed."""

    @abstractmethod
    def run_python(self, service: str, code: str, *arguments: str) -> str:
        """Run Python where the service runs, with its packages and settings; return what it printed.

        Raises:
            AssertionError: it failed; with its last line.
        """

    @abstractmethod
    def python_beside(self, service: str, code: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return command and environment of a Python that runs beside the service and talks on its pipes."""

    def restart(self) -> None:
        """End all services as a user does and start them again; only their data is kept."""
        self.stop(*SERVICES)
        self.start(*SERVICES)

    def records(self, service: str, trace_id: str) -> list[dict[str, Any]]:
        """Return the records that a service printed for one trace, oldest first."""
        lines = (line for line in self.output(service).splitlines() if line.startswith("{"))
        return [record for record in map(json.loads, lines) if record.get("trace_id") == trace_id]

    def client_key(self, service: str) -> SigningKey:
        """Return the private key of a service that is a client, for tests that play it."""
        key = load_pem_private_key(self.run_python(service, _PRINT_CLIENT_KEY).encode(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        return SigningKey(key)
