"""The account API's records are one chain, kept with the booking or not at all, and audited by command."""

import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from account_api.__main__ import main
from tests.account_api.banks import open_bank, sqlite_url
from tests.issuer import TestIssuer


@pytest.fixture
def audit(
    database_url: str,
    issuer: TestIssuer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Run `python -m account_api audit …`: gives exit status and standard output."""

    def run(*words: str) -> tuple[int, str]:
        with monkeypatch.context() as only:
            for name in os.environ:
                only.delenv(name)
            only.setenv("DATABASE_URL", database_url)
            only.setenv("DATA_DIR", str(tmp_path / "data"))
            only.setenv("JWKS_URI", issuer.jwks_uri)
            capsys.readouterr()
            status = main(["audit", *words])
        return status, capsys.readouterr().out

    return run


def test_what_many_clients_do_at_once_is_one_chain(database_url: str, issuer: TestIssuer, audit: Any) -> None:
    with open_bank(database_url, issuer) as bank, ThreadPoolExecutor(8) as pool:
        before = len(bank.ledger.records())
        done = [pool.submit(bank.transfer, f"key-{number}") for number in range(20)]
        seen = [pool.submit(bank.get, "/accounts") for _ in range(20)]
        denied = [pool.submit(bank.send, "GET", "/accounts", None) for _ in range(10)]
        assert {each.result().status_code for each in done} == {201}
        assert {each.result().status_code for each in seen} == {200}
        assert {each.result().status_code for each in denied} == {401}
        status, out = audit("verify", "--json")
    said = json.loads(out)
    assert (status, said["fault"], said["records"]) == (0, None, before + 50)
    _, out = audit("list", "--operation", "account.transfer", "--format", "jsonl")
    assert len(out.splitlines()) == 20


def test_what_was_changed_is_named_and_old_records_are_removed(
    database_url: str, issuer: TestIssuer, audit: Any
) -> None:
    with open_bank(database_url, issuer) as bank:
        for _ in range(4):
            bank.get("/accounts")
        with bank.ledger.engine.begin() as connection:
            connection.execute(text("UPDATE record SET scope = 'account:transfer' WHERE position = 2"))
        status, out = audit("verify", "--json")
        fault = json.loads(out)["fault"]
        assert (status, fault["kind"], fault["position"]) == (1, "changed", 2)
        status, _ = audit("prune", "--older-than", "0", "--json")
        # What is verified now begins after the record that was changed.
        assert (status, audit("verify")[0]) == (0, 0)


@pytest.mark.parametrize("method", ["transfer", "read", "refusal"])
def test_what_cannot_be_recorded_on_a_full_disk_is_not_done(
    tmp_path: Path, issuer: TestIssuer, method: str
) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before, rows = bank.balance("4001-01"), len(bank.ledger.records())
        with bank.ledger.engine.begin() as db:
            what = "BEGIN SELECT * FROM full_disk; END"
            db.execute(text(f"CREATE TRIGGER full BEFORE UPDATE ON record_chain {what}"))
        match method:
            case "transfer":
                answer = bank.transfer("full")
            case "read":
                answer = bank.get("/accounts")
            case _:
                answer = bank.get("/accounts", bank.issuer.app_token("account:transfer"))
        assert answer.status_code == 503
        assert len(bank.ledger.records()) == rows
        with bank.ledger.engine.begin() as db:
            db.execute(text("DROP TRIGGER full"))
        assert bank.balance("4001-01") == before
        assert bank.transfer("full").status_code == 201


def test_nothing_is_done_while_the_database_is_locked(
    tmp_path: Path, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delegation.database._TIMEOUT_SECONDS", 1)
    with open_bank(sqlite_url(tmp_path), issuer) as bank:
        before = bank.balance("4001-01")
        lock = sqlite3.connect(tmp_path / "bank.sqlite3", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        assert bank.transfer("locked").status_code == 503
        assert bank.get("/accounts").status_code == 503
        lock.execute("ROLLBACK")
        lock.close()
        assert bank.balance("4001-01") == before
        assert bank.transfer("locked").status_code == 201


def test_an_older_database_goes_on_with_a_chain_of_its_own(tmp_path: Path, issuer: TestIssuer) -> None:
    url = sqlite_url(tmp_path)
    with open_bank(url, issuer) as bank:
        bank.get("/accounts")
    old = sqlite3.connect(tmp_path / "bank.sqlite3")
    old.executescript(
        "DROP INDEX record_position; DROP TABLE record_chain; DROP TABLE record_checkpoint;"
        + "".join(f"ALTER TABLE record DROP COLUMN {name};" for name in ("position", "previous_hash", "hash"))
    )
    old.close()
    with open_bank(url, issuer) as bank:
        assert bank.transfer("after").status_code == 201
        first, second = bank.ledger.records()
    assert (first.position, second.position) == (None, 1)
