"""An issuer whose keys are served over HTTP, at a time that a test sets."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from delegation.signing_key import SigningKey
from tests.clock import SetClock
from tests.issuer import TestIssuer
from tests.jwks_server import JwksServer

# How fast a machine is, is not what these tests are about.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    """Issues tokens at noon of the tests' day."""
    with TestIssuer(clock=SetClock()).serving() as serving:
        yield serving


@pytest.fixture(scope="session")
def served_source() -> Iterator[JwksServer]:
    with JwksServer().serving() as serving:
        yield serving


@pytest.fixture
def source(served_source: JwksServer) -> JwksServer:
    """A `jwks_uri` with one key that nobody has asked for yet."""
    served_source.keys, served_source.broken, served_source.fetches = [SigningKey.generate()], None, 0
    return served_source


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(verify=False) as client:  # no certificates to load: all is on localhost
        yield client
