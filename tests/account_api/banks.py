"""An account API as the tests use it: served over HTTP, on a real database, at a time of their choosing."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Engine, create_engine, func, make_url, select

from account_api import tables
from account_api.app import create_app
from account_api.settings import Settings
from tests.clock import SetClock
from tests.issuer import CUSTOMER, TestIssuer
from tests.serving import serve

READ = "account:read_balance account:read_transactions"


@dataclass(frozen=True)
class Ledger:
    """A look at the database behind the service's back."""

    engine: Engine

    def rows(self, statement: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(statement).all())

    def unbalanced_transactions(self) -> list[Any]:
        entry = tables.entry.c
        total = func.sum(entry.amount_minor)
        return self.rows(select(entry.transaction_id).group_by(entry.transaction_id).having(total != 0))

    def balance(self, account_id: str) -> int:
        entry = tables.entry.c
        [(total,)] = self.rows(select(func.sum(entry.amount_minor)).where(entry.account_id == account_id))
        return int(total)

    def booked(self) -> Counter[str]:
        """Return how many transactions each memo has; a transaction has one entry that takes money."""
        entry = tables.entry.c
        return Counter(memo for (memo,) in self.rows(select(entry.description).where(entry.amount_minor < 0)))

    def records(self) -> list[Any]:
        return self.rows(select(tables.record).order_by(tables.record.c.id))


@contextmanager
def ledger_at(database_url: str) -> Iterator[Ledger]:
    """Open the database at this address."""
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    try:
        yield Ledger(engine)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class Bank:
    """A served account API and a client of it; the customer is Alex unless a token says otherwise."""

    url: str
    http: httpx2.Client
    issuer: TestIssuer
    clock: SetClock
    database_url: str
    ledger: Ledger

    def send(self, method: str, path: str, token: str | None, **request: Any) -> httpx2.Response:
        """Send one request, with this token or without one."""
        headers = dict(request.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.http.request(method, path, headers=headers, **request)

    def get(self, path: str, token: str | None = None) -> httpx2.Response:
        return self.send("GET", path, token or self.issuer.app_token(READ))

    def order(self, key: str, token: str | None = None, **request: Any) -> httpx2.Response:
        """Order a transfer with this key; `json` or `content` is the body."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"} | request.pop("headers", {})
        token = token or self.issuer.delegation_token("account:transfer")
        return self.send("POST", "/transfers", token, headers=headers, **request)

    def transfer(self, key: str, token: str | None = None, **changes: Any) -> httpx2.Response:
        """Order a good transfer, changed as asked."""
        return self.order(key, token, json=transfer_order(**changes))

    def balance(self, account_id: str, sub: str = CUSTOMER) -> int:
        answer = self.get(f"/accounts/{account_id}/balance", self.issuer.app_token(READ, sub=sub))
        amount: int = answer.json()["balance"]["amount_minor"]
        return amount


def transfer_order(amount: int = 100, currency: str = "EUR", **changes: Any) -> dict[str, Any]:
    """Return a good order of Alex's, changed as asked."""
    return {
        "from_account": "4001-01",
        "to": "Maria Lopez",
        "amount": {"amount_minor": amount, "currency": currency},
    } | changes


@contextmanager
def open_bank(database_url: str, issuer: TestIssuer, clock: SetClock | None = None) -> Iterator[Bank]:
    """Serve an account API on the database at this address."""
    clock = clock or SetClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(create_app(_settings(database_url, issuer, Path(folder)), clock)) as url,
        httpx2.Client(base_url=url, timeout=30) as http,
        ledger_at(database_url) as ledger,
    ):
        yield Bank(url, http, issuer, clock, database_url, ledger)


def _settings(database_url: str, issuer: TestIssuer, data_dir: Path) -> Settings:
    return Settings(jwks_uri=issuer.jwks_uri, database_url=database_url, data_dir=data_dir)


def sqlite_url(folder: Path) -> str:
    """Return the address of a database file in this folder."""
    return f"sqlite:///{folder / 'bank.sqlite3'}"
