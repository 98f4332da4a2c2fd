"""A token must be good when something is done under it, not only when the request began."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Connection, select, text

from account_api import tables
from delegation import http_bounds
from tests.account_api.banks import open_bank, sqlite_url, transfer_order
from tests.issuer import TestIssuer
from tests.postgres import Postgres


def test_a_transfer_whose_body_comes_after_the_tokens_end_is_not_booked(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before = sum(bank.ledger.booked().values())
        body = json.dumps(transfer_order()).encode()
        parts = urlsplit(bank.url)
        head = [
            "POST /transfers HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Authorization: Bearer {issuer.delegation_token('account:transfer')}",
            "Idempotency-Key: slow",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:3])
            # Another call is answered: by then the head of the first has been read.
            assert bank.http.get("/healthz").status_code == 200
            bank.clock.forward(seconds=301)
            connection.sendall(body[3:])
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"The token has expired." in answer
        assert sum(bank.ledger.booked().values()) == before
        [record] = [one._mapping for one in bank.ledger.records()]
        assert (record["decision"], record["operation"]) == ("deny", "account.transfer")


def test_a_transfer_whose_body_does_not_come_is_408_and_recorded_as_refused(
    tmp_path: Path, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "BODY_SECONDS", 0.2)
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before = bank.ledger.booked()
        parts = urlsplit(bank.url)
        bearer = f"Bearer {issuer.delegation_token('account:transfer')}"
        head = f"POST /transfers HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\nContent-Length: 9\r\n"
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert bank.ledger.booked() == before
        assert [one._mapping["decision"] for one in bank.ledger.records()] == ["deny"]


def test_a_transfer_that_waited_for_a_lock_until_after_the_tokens_end_is_not_booked(
    postgres: Postgres, issuer: TestIssuer
) -> None:
    with open_bank(postgres.new_database(), issuer) as bank, ThreadPoolExecutor(1) as others:
        before = sum(bank.ledger.booked().values())
        token = issuer.delegation_token("account:transfer")
        with bank.ledger.engine.begin() as holder:
            holder.execute(select(tables.account).with_for_update())
            answer = others.submit(bank.transfer, "waits", token)
            _until_somebody_waits(holder)
            bank.clock.forward(seconds=301)
        refused = answer.result(timeout=30)
        assert (refused.status_code, "The token has expired." in refused.text) == (401, True)
        assert sum(bank.ledger.booked().values()) == before
        [record] = [one._mapping for one in bank.ledger.records()]
        assert (record["decision"], record["operation"]) == ("deny", "account.transfer")


def _until_somebody_waits(connection: Connection) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    until = time.monotonic() + 4
    while not connection.scalar(waiting):
        assert time.monotonic() < until, "nobody waits for the lock"
        time.sleep(0.01)
