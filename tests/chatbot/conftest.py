"""A chatbot served over HTTP, with the offline model, a token endpoint, a gateway and a time of choice."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route

from chatbot.app import create_app
from chatbot.settings import Settings
from tests.chatbot.asking import Answer, ask
from tests.chatbot.bank import Bank
from tests.chatbot.parties import Gateway, TokenEndpoint, served
from tests.clock import SetClock
from tests.issuer import CUSTOMER, TestIssuer
from tests.serving import serve

SCOPE = "account:read_balance account:read_transactions account:transfer"
EITHER_WAY = pytest.mark.parametrize("tools", ["rest", "mcp"])
TODAY = datetime(2026, 3, 17, 12, tzinfo=UTC)


@dataclass
class World:
    """A chatbot and everybody around it."""

    http: httpx2.Client
    issuer: TestIssuer
    clock: SetClock
    token_endpoint: TokenEndpoint
    gateway: Gateway
    data_dir: Path
    tools: str

    def begin_again(self) -> None:
        """Make everybody forget what was, so that tests can share the servers."""
        self.clock.now = TODAY
        self.token_endpoint.begin_again()
        self.gateway.begin_again()
        authorization = {"Authorization": f"Bearer {self.subject_token()}"}
        self.http.delete("/chat", headers=authorization).raise_for_status()

    def subject_token(self, sub: str = CUSTOMER, **claims: Any) -> str:
        return self.issuer.subject_token(SCOPE, sub=sub, **claims)

    def ask(self, *messages: str, token: str | None = None, traceparent: str | None = None) -> Answer:
        """Ask one after the other, in one conversation, and give the last answer."""
        token = token or self.subject_token()
        return [ask(self.http, token, message, traceparent) for message in messages][-1]


OpenWorld = Callable[..., AbstractContextManager[World]]


@contextmanager
def open_world(issuer: TestIssuer, clock: SetClock, data_dir: Path, **settings: Any) -> Iterator[World]:
    """Serve a new chatbot, a new token endpoint and a new gateway; `settings` change the chatbot's."""
    token_endpoint, gateway = TokenEndpoint(issuer), Gateway(Bank())
    routes = (
        Route("/token", token_endpoint.answer, methods=["POST"]),
        Route("/mcp", gateway.answer_mcp, methods=["GET", "POST"]),
        Route("/{path:path}", gateway.answer, methods=["GET", "POST"]),
    )
    with served(*routes) as parties:
        addresses = {
            "token_endpoint": f"{parties}/token",
            "gateway_url": parties,
            "mcp_url": f"{parties}/mcp",
            "jwks_uri": issuer.jwks_uri,
        }
        chosen = Settings(**{"data_dir": data_dir} | addresses | settings)
        with serve(create_app(chosen, clock)) as url, httpx2.Client(base_url=url, timeout=30) as http:
            yield World(http, issuer, clock, token_endpoint, gateway, data_dir, chosen.tools)


@pytest.fixture(scope="session")
def issuer() -> Iterator[TestIssuer]:
    with TestIssuer(clock=SetClock(TODAY)).serving() as serving:
        yield serving


@pytest.fixture
def tools() -> str:
    """How the chatbot reaches the account API: REST, unless a test is parametrized to both."""
    return "rest"


@pytest.fixture
def new_world(issuer: TestIssuer, tmp_path: Path, tools: str) -> OpenWorld:
    """Opens a world with settings of a test's choosing."""
    return lambda **settings: open_world(issuer, SetClock(TODAY), tmp_path, **{"tools": tools} | settings)


@pytest.fixture(scope="session")
def lasting_worlds(
    issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], World]]:
    """Gives the one world for each way to the account API."""
    with ExitStack() as opened:

        @cache
        def world_with(tools: str) -> World:
            folder = tmp_path_factory.mktemp("chatbot")
            return opened.enter_context(open_world(issuer, SetClock(TODAY), folder, tools=tools))

        yield world_with


@pytest.fixture
def world(lasting_worlds: Callable[[str], World], tools: str) -> World:
    """A world in which nothing has been said yet, at noon of `TODAY`."""
    found = lasting_worlds(tools)
    found.begin_again()
    return found
