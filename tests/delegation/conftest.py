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


@pytest.fixture
def source() -> Iterator[JwksServer]:
    """A `jwks_uri` of this test's own, with one key."""
    with JwksServer([SigningKey.generate()]).serving() as serving:
        yield serving


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client
