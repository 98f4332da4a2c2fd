"""One stack for the whole run, and its two OAuth clients, played with their own keys."""

from collections.abc import Callable, Generator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.choosing import chosen_stack
from tests.stack.chromium import chromium, chromium_path
from tests.stack.compose_stack import ComposeStack
from tests.stack.deployment import Deployment
from tests.stack.secrets_seen import SecretsSeen
from tests.stack.stack import NoStack, Stack
from tests.stack.visitor import Visitor

TIMEOUT_MILLISECONDS = 20_000
WINDOWS = pytest.StashKey[list[Visitor]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "last: runs after all others, for it looks at what they left behind")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "last" in item.keywords)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """When a test fails, leave what its windows show among the screenshots, and say what went wrong."""
    report = yield
    if report.failed and report.when == "call":
        visitors = item.stash.get(WINDOWS, [])
        for number, visitor in enumerate(visitors):
            visitor.screenshot(f"failed-{item.name}-{number}")
            shown = f"{urlsplit(visitor.page.url).path} after {visitor.complaints}"
            report.sections.append((f"window {number}", shown))
    return report


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    try:
        with chosen_stack() as stack:
            yield stack
    except NoStack as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def stoppable_stack(stack: Stack) -> Stack:
    """The stack, for a test that stops services of it."""
    if not stack.can_be_stopped:
        pytest.skip("`make demo` ends when one of its services is stopped: STACK=own or compose")
    return stack


@pytest.fixture
def compose(stack: Stack) -> ComposeStack:
    """The Compose stack, for a test of what only containers and their networks can promise."""
    if not isinstance(stack, ComposeStack):
        pytest.skip("this is about containers and their networks: STACK=compose")
    return stack


@pytest.fixture(scope="session")
def deployment(stack: Stack) -> Deployment:
    return stack.deployment


@pytest.fixture(scope="session")
def seen(deployment: Deployment) -> SecretsSeen:
    return SecretsSeen({deployment.password})


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def app(stack: Stack, http: httpx2.Client, seen: SecretsSeen) -> BankingApp:
    return BankingApp(stack.deployment, stack.client_key("banking_app"), http, seen)


@pytest.fixture(scope="session")
def agent(stack: Stack, http: httpx2.Client, seen: SecretsSeen) -> Agent:
    return Agent(stack.deployment, stack.client_key("chatbot"), http, seen)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("the browser tests need Chromium: apt-get install chromium")
    with chromium(path) as browser:
        yield browser


@pytest.fixture
def new_visitor(
    browser: Browser, deployment: Deployment, seen: SecretsSeen, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visitor]]:
    """Open windows, each with cookies of its own; the options are those of Playwright's `new_context`."""
    visitors = request.node.stash[WINDOWS] = []

    def open_window(**options: Any) -> Visitor:
        context = browser.new_context(**options)
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        visitors.append(Visitor(context.new_page(), deployment, seen))
        return visitors[-1]

    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    yield open_window
    for visitor in visitors:
        visitor.page.context.close()


@pytest.fixture
def visitor(new_visitor: Callable[..., Visitor]) -> Visitor:
    return new_visitor()
