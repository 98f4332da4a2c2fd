"""One stack in process for the tests of the suite itself."""

import os
from collections.abc import Iterator

import pytest

from tests.e2e.in_process import InProcess, in_process
from tests.e2e.target import Target


@pytest.fixture(scope="session")
def bank() -> Iterator[InProcess]:
    """Our own stack; the records that its services print are captured with each test's output."""
    with in_process() as running:
        yield running


@pytest.fixture(scope="session")
def target(bank: InProcess) -> Iterator[Target]:
    with bank.target() as target:
        target.prepare()
        yield target


@pytest.fixture
def environment(bank: InProcess) -> dict[str, str]:
    """The environment of a run against the stack in process."""
    return dict(os.environ) | bank.environment
