"""The command line, run as staff run it, beside the running server."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from auth_server.__main__ import main
from delegation.signing_key import SigningKey, jwk_set
from tests.auth_server.client import RegisteredClient
from tests.auth_server.servers import ACCOUNT_API, BALANCE, AuthServer

OTHER = "https://card-agent.example.com"


class Command:
    """One command of the command line of one server: `agents`, `staff` or `customers`."""

    def __init__(self, server: AuthServer, name: str) -> None:
        self._server = server
        self._name = name
        settings = server.settings
        self._environment = {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}

    def run(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever comes of it; `text` is its standard input.

        In this process: another costs a second each time. One test and whoever races run it alone.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self._environment),
            patch.object(sys, "stdin", io.StringIO(text or "")),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                status = main([self._name, *arguments])
            except SystemExit as ended:
                status = int(ended.code or 0)
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def run_alone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own."""
        command = [sys.executable, "-m", "auth_server", self._name, *arguments]
        return subprocess.run(
            command, env=os.environ | self._environment, capture_output=True, text=True, check=False
        )

    def __call__(self, *arguments: str, text: str | None = None) -> Any:
        """Run a command that must succeed; returns the JSON that it prints."""
        done = self.run(*arguments, "--json", text=text)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout)

    def refuses(self, *arguments: str) -> str:
        """Run a command that must be refused as wrong input; returns what it says."""
        done = self.run(*arguments)
        assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.stderr


class Registry(Command):
    """The command line `agents` of one server."""

    def __init__(self, server: AuthServer) -> None:
        super().__init__(server, "agents")

    def register(self, *more: str, keys: SigningKey, agent_id: str = OTHER) -> Any:
        """Register an agent with an uploaded key, which comes by standard input."""
        return self("register", *described(agent_id), "--jwks", "-", *more, text=json.dumps(jwk_set(keys)))

    def client(self, key: SigningKey, agent_id: str = OTHER) -> RegisteredClient:
        """Return an agent as a client of this server."""
        server = self._server
        return RegisteredClient(agent_id, key, server.settings.issuer, server.clock, server.http)


def described(agent_id: str = OTHER) -> tuple[str, ...]:
    """Return the options that say who an agent is and what it may do."""
    said = ("--id", agent_id, "--name", "Card Assistant", "--purpose", "Answers questions about cards")
    return (*said, "--owner", "Robin Keller", "--scope", f"{ACCOUNT_API}={BALANCE}")


def key_file(folder: Path, key: SigningKey) -> str:
    """Write a public key as a JWK; returns the file."""
    file = folder / f"{key.kid}.json"
    file.write_text(json.dumps(key.public_jwk))
    return str(file)
