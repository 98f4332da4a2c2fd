"""One bank for each test file and database; a test that needs an untouched or a broken one opens its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account_api.banks import Bank, open_bank, sqlite_url
from tests.clock import SetClock
from tests.issuer import TestIssuer
from tests.postgres import Postgres, postgres, postgres_url

__all__ = ["postgres", "postgres_url"]


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    with TestIssuer(clock=SetClock()).serving() as serving:
        yield serving


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def bank(
    request: pytest.FixtureRequest, issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bank]:
    with open_bank(_new_database(request, tmp_path_factory.mktemp("bank")), issuer) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a new database of either kind."""
    return _new_database(request, tmp_path)


def _new_database(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(folder)
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()
