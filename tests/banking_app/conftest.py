"""The banking app's backend-for-frontend, served between a provider, a chatbot and the real account API."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.applications import Starlette

from account_api.app import create_app as create_account_api
from account_api.settings import Settings as AccountApiSettings
from banking_app.app import backend_for_frontend
from banking_app.services import Services
from banking_app.settings import Settings
from tests.banking_app.chatbot import Chatbot
from tests.banking_app.provider import Provider
from tests.serving import serve

Records = Callable[[], list[dict[str, Any]]]
Serve = Callable[..., AbstractContextManager["BankingApp"]]


class SetClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move on, e.g. by `seconds=61`."""
        self.now += timedelta(**by)


@dataclass
class BankingApp:
    """The served app and what is around it."""

    url: str
    settings: Settings
    services: Services
    provider: Provider
    chatbot: Chatbot
    clock: SetClock

    def browser(self) -> httpx2.Client:
        """Return a browser of its own: cookies are kept, redirects are followed by hand."""
        return httpx2.Client(base_url=self.url, timeout=10, verify=False)

    def come_back(self, browser: httpx2.Client, address: str = "/login") -> str:
        """Begin a sign-on, let the provider answer, and return the address that it sends the browser to."""
        to_provider = browser.get(address).headers["location"]
        return str(get(to_provider).headers["location"])

    def sign_on(self, browser: httpx2.Client, address: str = "/login") -> httpx2.Response:
        """Sign on and return what the callback answers."""
        return browser.get(self.come_back(browser, address))

    def session_id(self, browser: httpx2.Client) -> str:
        """Return the browser's session cookie."""
        return browser.cookies["banking_session"]


def port_of(settings: Settings) -> int:
    """Return where a test serves the app; a public address without a port is somebody else's."""
    return urlsplit(settings.public_url).port or 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def provider(clock: SetClock) -> Iterator[Provider]:
    with Provider(clock).serving() as provider:
        yield provider


@pytest.fixture(scope="session")
def chatbot() -> Iterator[Chatbot]:
    with Chatbot().serving() as chatbot:
        yield chatbot


@pytest.fixture(scope="session")
def account_api(
    provider: Provider, clock: SetClock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    settings = AccountApiSettings(
        issuer=provider.url, jwks_uri=f"{provider.url}/jwks", data_dir=tmp_path_factory.mktemp("account_api")
    )
    with serve(create_account_api(settings, clock)) as url:
        yield url


@contextmanager
def serving_app(
    provider: Provider, chatbot: Chatbot, clock: SetClock, settings: Settings
) -> Iterator[BankingApp]:
    backend = backend_for_frontend(settings, clock)
    asgi = Starlette(routes=backend.routes, middleware=backend.middleware)
    with closing(backend), serve(asgi, port_of(settings)) as url:
        provider.app_jwks = get(f"{url}/jwks.json").json()
        yield BankingApp(url, settings, backend.services, provider, chatbot, clock)


@pytest.fixture
def serve_app(
    provider: Provider, chatbot: Chatbot, account_api: str, clock: SetClock, tmp_path: Path
) -> Serve:
    """Serve an app of the test's own; serving it again is a restart: same port, same data."""
    provider.reset()
    chatbot.reset()
    default = app_settings(provider, chatbot, account_api, free_port(), tmp_path)

    @contextmanager
    def serving(**changed: Any) -> Iterator[BankingApp]:
        before = provider.app_jwks
        with serving_app(provider, chatbot, clock, Settings(**default | changed)) as app:
            yield app
        provider.app_jwks = before

    return serving


@pytest.fixture(scope="session")
def served_app(
    provider: Provider,
    chatbot: Chatbot,
    account_api: str,
    clock: SetClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BankingApp]:
    data_dir = tmp_path_factory.mktemp("banking_app")
    settings = Settings(**app_settings(provider, chatbot, account_api, free_port(), data_dir))
    with serving_app(provider, chatbot, clock, settings) as app:
        yield app


def app_settings(
    provider: Provider, chatbot: Chatbot, account_api: str, port: int, data_dir: Path
) -> dict[str, Any]:
    """Return the settings that join the app with what is around it."""
    return {
        "public_url": f"http://127.0.0.1:{port}",
        "data_dir": data_dir,
        "issuer": provider.url,
        "jwks_uri": f"{provider.url}/jwks",
        "authorization_endpoint": f"{provider.url}/authorize",
        "end_session_endpoint": f"{provider.url}/end-session",
        "token_endpoint": f"{provider.url}/token",
        "revocation_endpoint": f"{provider.url}/revoke",
        "grant_management_endpoint": f"{provider.url}/grants",
        "auth_records_endpoint": f"{provider.url}/records",
        "chatbot_url": chatbot.url,
        "account_api_url": account_api,
    }


@pytest.fixture
def app(served_app: BankingApp) -> BankingApp:
    """The app that most tests share, between neighbours that behave well again."""
    served_app.provider.reset()
    served_app.chatbot.reset()
    return served_app


@pytest.fixture
def browser(app: BankingApp) -> Iterator[httpx2.Client]:
    with app.browser() as browser:
        yield browser


@pytest.fixture
def signed_on(app: BankingApp, browser: httpx2.Client) -> httpx2.Client:
    """A browser that has signed on."""
    app.sign_on(browser)
    return browser


@pytest.fixture
def records(capfd: pytest.CaptureFixture[str]) -> Records:
    """Read the app's own records that were printed since the last reading."""

    def read() -> list[dict[str, Any]]:
        lines = (line for line in capfd.readouterr().out.splitlines() if line.startswith("{"))
        return [record for record in map(json.loads, lines) if record["service"] == "banking_app"]

    return read


def get(address: str) -> httpx2.Response:
    """Get an address as nobody in particular. No certificates: loading them takes longer than a test."""
    return httpx2.get(address, verify=False)


def query(address: str) -> dict[str, list[str]]:
    """Return the query parameters of an address."""
    return parse_qs(urlsplit(address).query)


def cookie(response: httpx2.Response, name: str) -> str:
    """Return the whole Set-Cookie line of this name."""
    lines = [line for line in response.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    assert len(lines) == 1, f"expected one {name} cookie, got {lines}"
    return lines[0]


def text_of(page: httpx2.Response) -> str:
    """Return what a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
