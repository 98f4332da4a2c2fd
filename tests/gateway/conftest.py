"""One issuer, one recording resource and one gateway between them, served for the whole run."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.mcp_fixtures import mcp, served_mcp, served_tools  # noqa: F401 - fixtures
from tests.gateway.recording import RecordingResource
from tests.issuer import TestIssuer
from tests.serving import serve

Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    with TestIssuer().serving() as issuer:
        yield issuer


@pytest.fixture(scope="session")
def served_resource() -> Iterator[tuple[RecordingResource, str]]:
    resource = RecordingResource()
    with serve(resource) as url:
        yield resource, url


@pytest.fixture
def resource(served_resource: tuple[RecordingResource, str]) -> Iterator[RecordingResource]:
    """The resource behind the gateway, with nothing recorded yet."""
    served_resource[0].reset()
    yield served_resource[0]
    served_resource[0].reset()  # a handler without an end would fill the memory of the next test


@pytest.fixture(scope="session")
def settings(
    issuer: TestIssuer,
    served_resource: tuple[RecordingResource, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    data_dir = tmp_path_factory.mktemp("gateway")
    return Settings(
        jwks_uri=issuer.jwks_uri,
        upstream_url=served_resource[1],
        data_dir=data_dir,
        policy_file=Path(__file__).with_name("open_policy.yaml"),
        # The disk may be anybody's just now.
        record_bound_seconds=60,
        record_wait_seconds=60,
    )


@pytest.fixture(scope="session")
def gateway(settings: Settings) -> Iterator[str]:
    """The gateway's base address."""
    with serve(create_app(settings)) as url:
        yield url


@pytest.fixture
def client(gateway: str, resource: RecordingResource) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=gateway) as client:
        yield client


@pytest.fixture
def records(capsys: pytest.CaptureFixture[str]) -> Records:
    """Read the records that were printed since the last reading."""

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


@contextmanager
def gateway_with(settings: Settings, **changes: Any) -> Iterator[httpx2.Client]:
    """Serve another gateway with some settings changed, and give a client of it."""
    with (
        serve(create_app(settings.model_copy(update=changes))) as url,
        httpx2.Client(base_url=url) as client,
    ):
        yield client


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"authorization": f"Bearer {token}"}
