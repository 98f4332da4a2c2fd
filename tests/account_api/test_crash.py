"""Shows that SIGKILL under load neither loses nor doubles a transfer: a real process, killed and rerun."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from account_api import tables
from delegation.record_verification import verify
from tests.account_api.banks import open_bank, transfer_order
from tests.clock import SetClock
from tests.issuer import TestIssuer

ORDERS = 80
KILL_AFTER = 30
"""How many answers the clients have seen when the process is killed."""


class Process:
    """The service as it is run for real. Its address is read from what uvicorn says when it is ready."""

    def __init__(self, database_url: str, issuer: TestIssuer, records: Path) -> None:
        command = [sys.executable, "-m", "uvicorn", "account_api.app:create_app", "--factory"]
        settings = {"DATABASE_URL": database_url, "JWKS_URI": issuer.jwks_uri, "ISSUER": issuer.issuer}
        self._records = records.open("ab")
        self._process = subprocess.Popen(
            [*command, "--port", "0", "--no-access-log"],
            env=os.environ | settings,
            stdout=self._records,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._announced_url()

    def _announced_url(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"running on (http://\S+)", line):
                return found.group(1)
        raise AssertionError("the service did not start")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(20)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._records.close()


def memo(number: int) -> str:
    """Return the memo, and the key, of an order."""
    return f"crash-{number}"


def order(http: httpx2.Client, issuer: TestIssuer, number: int) -> httpx2.Response:
    token = issuer.delegation_token("account:transfer")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": memo(number)}
    return http.post("/transfers", json=transfer_order(memo=memo(number)), headers=headers)


def order_until_killed(process: Process, issuer: TestIssuer) -> dict[int, str]:
    """Order from eight clients, kill the process in the middle, and return the receipts that arrived."""
    receipts: dict[int, str] = {}

    def client(first: int) -> None:
        with httpx2.Client(base_url=process.url, timeout=20) as http:
            for number in range(first, ORDERS, 8):
                receipts[number] = order(http, issuer, number).json()["transfer_id"]
                if len(receipts) == KILL_AFTER:
                    process.kill()

    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(client, first) for first in range(8)]
    assert any(isinstance(end.exception(), httpx2.TransportError) for end in ends)
    return receipts


def test_a_service_killed_under_load_has_booked_every_answered_transfer_and_none_twice(
    database_url: str, tmp_path: Path
) -> None:
    with TestIssuer().serving() as issuer:
        receipts = order_until_killed(Process(database_url, issuer, tmp_path / "records.jsonl"), issuer)
        assert KILL_AFTER <= len(receipts) < ORDERS
        # Ahead, so that no token is from its future, however long the orders take.
        with open_bank(database_url, issuer, SetClock(datetime.now(UTC) + timedelta(minutes=2))) as bank:
            assert bank.ledger.unbalanced_transactions() == []
            before, booked = bank.ledger.balance("4001-01"), bank.ledger.booked()
            assert all(booked[memo(number)] == 1 for number in receipts)
            missing = [number for number in range(ORDERS) if memo(number) not in booked]
            repeats = {number: order(bank.http, issuer, number).json() for number in range(ORDERS)}
            assert {number: repeats[number]["transfer_id"] for number in receipts} == receipts
            booked = bank.ledger.booked()
            assert {booked[memo(number)] for number in range(ORDERS)} == {1}
            assert bank.ledger.balance("4001-01") == before - 100 * len(missing)
            with bank.ledger.engine.begin() as db:
                assert verify(db, tables.record, "account-api", {}).fault is None
            recorded = {record.resource for record in bank.ledger.records()}
            assert {f"/transfers/{transfer_id}" for transfer_id in receipts.values()} <= recorded
            assert bank.ledger.unbalanced_transactions() == []
