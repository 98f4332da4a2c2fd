"""The real authorization server over HTTP, on a real database, with its two clients, at a set time."""

import base64
import hashlib
import itertools
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from argon2 import PasswordHasher
from sqlalchemy import insert, select, update

from auth_server.app import create_app
from auth_server.context import Context
from auth_server.settings import Settings
from auth_server.tables import RECORD, Customer, Staff
from delegation.record import OPTIONAL
from delegation.record_table import LINK_COLUMNS
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE
from tests.auth_server.browser import Browser, Page
from tests.auth_server.client import RegisteredClient
from tests.clock import SetClock
from tests.jwks_server import JwksServer
from tests.serving import serve

ISSUER = "http://localhost:8502"
AGENT = "https://bank-agent.example.com"
ACCOUNT_API = "https://account.api.example.com"
CALLBACK = "http://localhost:8501/callback"
BALANCE, TRANSACTIONS, TRANSFER = "account:read_balance", "account:read_transactions", "account:transfer"
GRANT_MANAGEMENT = "grant_management_query grant_management_revoke"
ADMINISTRATION = "agents:read agents:write audit:read"
ALL_SCOPES = f"openid profile {BALANCE} {TRANSACTIONS} {TRANSFER} {GRANT_MANAGEMENT} {ADMINISTRATION}"
PASSWORD = "correct horse battery staple"
# As cheap as argon2 can be: it takes its costs from the hash, and hundreds of tests sign on.
PASSWORD_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
_numbers = itertools.count(1)


def claims(token: str) -> dict[str, Any]:
    """Return a JWT's claims, unverified."""
    return decoded(token.split(".")[1])


def header(token: str) -> dict[str, Any]:
    """Return a JWT's JOSE header."""
    return decoded(token.split(".")[0])


def decoded(part: str) -> dict[str, Any]:
    """Decode one part of a JWT."""
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return value


class Tokens:
    """A customer who signed on: the browser that did, and the tokens that the banking app has of it."""

    def __init__(self, server: "AuthServer", browser: Browser, first: dict[str, Any]) -> None:
        self.server = server
        self.browser = browser
        self.first = first
        self.refresh_token: str = first["refresh_token"]

    def refresh(self, **parameters: Any) -> httpx2.Response:
        """Refresh once, keeping the new refresh token if there is one."""
        response = self.server.app.token(
            grant_type="refresh_token", refresh_token=self.refresh_token, **parameters
        )
        self.refresh_token = response.json().get("refresh_token", self.refresh_token)
        return response

    def token_for(self, resource: str, **parameters: Any) -> str:
        """Return an access token for one resource."""
        response = self.refresh(resource=resource, **parameters)
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token


@dataclass
class AuthServer:
    """A running authorization server."""

    url: str
    settings: Settings
    clock: SetClock
    app: RegisteredClient
    agent: RegisteredClient
    context: Context
    transport: httpx2.BaseTransport

    @property
    def http(self) -> httpx2.Client:
        return self.app.http

    def browser(self) -> Browser:
        return Browser(self.url, self.transport)

    def new_customer(self) -> str:
        """Add a customer whom no other test knows; their password is PASSWORD."""
        sub = f"customer{next(_numbers)}@example.com"
        with self.context.engine.begin() as connection:
            connection.execute(insert(Customer).values(sub=sub, name="Kim Test", password_hash=PASSWORD_HASH))
        return sub

    def new_staff(self, role: str) -> str:
        """Add a member of staff whom no other test knows; their password is PASSWORD."""
        sub = f"staff{next(_numbers)}@example.com"
        values = {"sub": sub, "name": "Lee Test", "role": role, "password_hash": PASSWORD_HASH}
        with self.context.engine.begin() as connection:
            connection.execute(insert(Staff).values(**values))
        return sub

    def set_role(self, sub: str, role: str) -> None:
        """Give a member of staff another role."""
        with self.context.engine.begin() as connection:
            connection.execute(update(Staff).where(Staff.sub == sub).values(role=role))

    def rows(self, statement: Any) -> list[Any]:
        with self.context.engine.begin() as connection:
            return list(connection.execute(statement).all())

    def records(self, **where: Any) -> list[dict[str, Any]]:
        """Return the records in the table whose columns have these values, oldest first."""
        link = LINK_COLUMNS - {"id"}
        columns = [column for column in RECORD.c if column.name not in link]
        statement = select(*columns).order_by(RECORD.c.id)
        for name, value in where.items():
            statement = statement.where(RECORD.c[name] == value)
        rows = [dict(row._mapping) for row in self.rows(statement)]
        return [
            {name: value for name, value in row.items() if value is not None or name not in OPTIONAL}
            for row in rows
        ]

    def sign_on(
        self, sub: str, scope: str = ALL_SCOPES, allow: str | None = None, resource: str = ACCOUNT_API
    ) -> Tokens:
        """Sign on with a new browser; `allow` is what to tick, by default all that is asked for.

        `resource` is what the first token is for.
        """
        browser, request = self.browser(), AuthorizationRequest(scope=scope)
        page = sign_on(browser, request, sub)
        if page.response.is_success:
            page = decide(browser, page, page.form.choices if allow is None else _choices(allow))
        return self.redeem(browser, page, request, resource=resource)

    def staff_sign_on(self, sub: str) -> Tokens:
        """Sign a member of staff on; the first token is for the server's own interfaces."""
        return self.sign_on(sub, resource=ISSUER)

    def redeem(self, browser: Browser, page: Page, request: "AuthorizationRequest", **changes: Any) -> Tokens:
        """Exchange the code with which the browser is sent back."""
        response = self.exchange_code(page.parameters["code"], request, **changes)
        assert response.status_code == 200, response.text
        return Tokens(self, browser, response.json())

    def exchange_code(self, code: str, request: "AuthorizationRequest", **changes: Any) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": request.verifier,
            "resource": ACCOUNT_API,
        }
        return self.app.token(**form | changes)

    def actor_token(self) -> str:
        response = self.agent.token(grant_type="client_credentials")
        assert response.status_code == 200, response.text
        token: str = response.json()["access_token"]
        return token

    def exchange(self, subject_token: str, actor_token: str | None = None, **changes: Any) -> httpx2.Response:
        """Ask for a delegation token; every parameter can be changed, or left out with None."""
        form = {
            "grant_type": GRANT_TYPE,
            "subject_token": subject_token,
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "actor_token": actor_token or self.actor_token(),
            "actor_token_type": ACCESS_TOKEN_TYPE,
            "resource": ACCOUNT_API,
            "scope": BALANCE,
        }
        return self.agent.token(**form | changes)


class AuthorizationRequest:
    """The banking app's authorization request; parameters can be changed, or left out with None."""

    def __init__(self, **changes: str | list[str] | None) -> None:
        self.verifier = secrets.token_urlsafe(48)
        challenge = hashlib.sha256(self.verifier.encode()).digest()
        defaults: dict[str, str | list[str] | None] = {
            "response_type": "code",
            "client_id": "banking-app",
            "redirect_uri": CALLBACK,
            "scope": ALL_SCOPES,
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
            "resource": [AGENT, ACCOUNT_API, ISSUER],
        }
        self.parameters = defaults | changes

    def __getitem__(self, name: str) -> str:
        value = self.parameters[name]
        assert isinstance(value, str)
        return value

    @property
    def query(self) -> list[tuple[str, str]]:
        return [
            (name, value)
            for name, values in self.parameters.items()
            if values is not None
            for value in (values if isinstance(values, list) else [values])
        ]

    @property
    def encoded(self) -> str:
        return urlencode(self.query)


def sign_on(browser: Browser, request: AuthorizationRequest, sub: str, password: str = PASSWORD) -> Page:
    """Come from the banking app, fill in the sign-on page, and return what follows."""
    return browser.submit(browser.open("/authorize", request.query), username=sub, password=password)


def decide(browser: Browser, page: Page, allow: set[str]) -> Page:
    """Tick these boxes of the consent page and no others, and allow it."""
    ticks = {choice: "on" if choice in allow else None for choice in page.form.choices}
    return browser.submit(page, "Allow what is ticked", **ticks)


def _choices(scope: str) -> set[str]:
    return {f"allow:{name}" for name in scope.split()}


@contextmanager
def running_server(
    data_dir: Path,
    app_keys: JwksServer,
    agent_keys: JwksServer,
    clock: SetClock,
    **settings: Any,
) -> Iterator[AuthServer]:
    """Start the server on the data in this folder, or at `database_url`; no demo customers, for speed."""
    configured = Settings(
        data_dir=data_dir,
        banking_app_jwks_uri=app_keys.jwks_uri,
        agent_jwks_uri=agent_keys.jwks_uri,
        **{"demo_password": ""} | settings,
    )
    application = create_app(configured, clock)
    with serve(application) as url, httpx2.HTTPTransport(verify=False) as transport:
        http = httpx2.Client(base_url=url, transport=transport, timeout=20)
        app, agent = (
            RegisteredClient(client_id, keys.keys[0], configured.issuer, clock, http)
            for client_id, keys in (("banking-app", app_keys), (AGENT, agent_keys))
        )
        yield AuthServer(url, configured, clock, app, agent, application.state.context, transport)
