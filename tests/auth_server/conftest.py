"""One server on each kind of database for all tests that leave its clock alone, and one each for the others.

On the shared server each test has a customer of its own, so that none sees what another did.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from delegation.signing_key import SigningKey
from tests.auth_server.servers import AuthServer, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]

DATABASES = ["sqlite", "postgresql"]

# How fast a machine is, is not what these tests are about.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def app_keys() -> Iterator[JwksServer]:
    with JwksServer([SigningKey.generate()]).serving() as serving:
        yield serving


@pytest.fixture(scope="session")
def agent_keys() -> Iterator[JwksServer]:
    with JwksServer([SigningKey.generate()]).serving() as serving:
        yield serving


@pytest.fixture(scope="session")
def sqlite_server(
    tmp_path_factory: pytest.TempPathFactory, app_keys: JwksServer, agent_keys: JwksServer
) -> Iterator[AuthServer]:
    """The shared server on SQLite, for tests whose subject is not what is stored."""
    with running_server(tmp_path_factory.mktemp("sqlite"), app_keys, agent_keys, SetClock()) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql_server(
    tmp_path_factory: pytest.TempPathFactory,
    app_keys: JwksServer,
    agent_keys: JwksServer,
    postgres: Postgres,
) -> Iterator[AuthServer]:
    """The shared server on PostgreSQL."""
    folder, url = tmp_path_factory.mktemp("postgresql"), postgres.new_database()
    with running_server(folder, app_keys, agent_keys, SetClock(), database_url=url) as running:
        yield running


@pytest.fixture(scope="session", params=DATABASES)
def server(request: pytest.FixtureRequest) -> AuthServer:
    """Each of the shared servers, whose clocks stand still."""
    running: AuthServer = request.getfixturevalue(f"{request.param}_server")
    return running


@pytest.fixture
def customer(server: AuthServer) -> str:
    """A customer of the shared server whom only this test knows."""
    return server.new_customer()


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database of either kind; empty for SQLite, whose file stands in the data folder."""
    if request.param == "sqlite":
        return ""
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def own_server(tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer) -> Iterator[AuthServer]:
    """A server of this test's own, whose clock it may move."""
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as running:
        yield running


@pytest.fixture
def own_server_on_each(
    tmp_path: Path, database_url: str, app_keys: JwksServer, agent_keys: JwksServer
) -> Iterator[AuthServer]:
    """The same, on each kind of database."""
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), database_url=database_url) as running:
        yield running
