"""Shows that a database that is locked or down is a 503 that says when to try again, and heals by itself."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.account_api.banks import Bank, open_bank, sqlite_url
from tests.issuer import TestIssuer
from tests.postgres import running_postgres


def assert_unavailable(answer: httpx2.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Record-Id"]
    assert "Traceback" not in answer.text


def lacking(bank: Bank) -> set[str]:
    return set(bank.get("/readyz").json().get("lacking", {}))


def test_a_locked_sqlite_database_is_503_until_it_is_free(tmp_path: Path, issuer: TestIssuer) -> None:
    with open_bank(sqlite_url(tmp_path), issuer) as bank, ThreadPoolExecutor(4) as clients:
        assert lacking(bank) == set()
        with bank.ledger.engine.connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            # At once, because each of them waits for the lock as long as the service is willing to.
            unready = clients.submit(lacking, bank)
            answers = [
                clients.submit(bank.transfer, "locked"),
                clients.submit(bank.get, "/accounts"),
                clients.submit(bank.send, "GET", "/accounts", None),
            ]
            for answer in answers:
                assert_unavailable(answer.result())
            assert unready.result() == {"database"}
        assert bank.transfer("locked").status_code == 201
        assert lacking(bank) == set()


def test_a_postgresql_that_stops_is_503_until_it_is_back(issuer: TestIssuer) -> None:
    with (
        running_postgres() as server,
        open_bank(server.new_database(), issuer) as bank,
    ):
        before = bank.balance("4001-01")
        server.stop()
        assert_unavailable(bank.transfer("down"))
        assert_unavailable(bank.get("/accounts"))
        assert lacking(bank) == {"database"}
        assert bank.get("/healthz").status_code == 200
        server.start()
        assert bank.transfer("down").status_code == 201
        assert bank.balance("4001-01") == before - 100
        assert lacking(bank) == set()


def test_the_service_starts_without_its_database_and_seeds_it_when_it_is_there(
    tmp_path: Path, issuer: TestIssuer
) -> None:
    folder = tmp_path / "not there yet"
    with open_bank(sqlite_url(folder), issuer) as bank:
        assert_unavailable(bank.get("/accounts"))
        assert lacking(bank) == {"database"}
        folder.mkdir()
        assert len(bank.get("/accounts").json()["accounts"]) == 3


def test_an_address_of_no_known_database_is_refused_at_the_start(issuer: TestIssuer) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL must begin with"), open_bank("mysql://x/y", issuer):
        pass
