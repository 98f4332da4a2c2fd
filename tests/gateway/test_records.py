"""What cannot be recorded may not be allowed: when decisions are on disk, and what happens until they are."""

import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from delegation.database import open_database
from delegation.record import Record
from delegation.record_verification import Verdict, verify
from gateway import tables
from gateway.record_store import RecordStore
from gateway.settings import Settings
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.recording import Arrived, RecordingResource, plain
from tests.issuer import CUSTOMER, TestIssuer
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]
READ, TRANSFER = "account:read_balance", "account:transfer"
TRACE = "fedcba9876543210fedcba9876543210"
PATIENCE_SECONDS = 60


@contextmanager
def database_of(settings: Settings) -> Iterator[Engine]:
    engine = open_database(settings.database_url.get_secret_value(), settings.data_dir / "gateway.sqlite3")
    yield engine
    engine.dispose()


def stored(settings: Settings) -> list[dict[str, Any]]:
    """Return the records on disk, in the chain's order."""
    with database_of(settings) as engine, engine.begin() as connection:
        rows = connection.execute(select(tables.record).order_by(tables.record.c.position)).mappings()
        return [dict(row) for row in rows]


def verdict_of(settings: Settings) -> Verdict:
    with database_of(settings) as engine, engine.begin() as connection:
        return verify(connection, tables.record, "gateway", {})


def transfer(
    client: httpx2.Client, issuer: TestIssuer, sub: str = CUSTOMER, **headers: str
) -> httpx2.Response:
    own = bearer(issuer.delegation_token(TRANSFER, sub=sub)) | {"idempotency-key": "k"}
    return client.post("/transfers", json={}, headers=own | headers)


def read(client: httpx2.Client, issuer: TestIssuer) -> httpx2.Response:
    return client.get("/accounts", headers=bearer(issuer.delegation_token(READ)))


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that other threads do."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """The settings of a gateway of this test's own, on each kind of database."""
    url = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    secret = type(settings.database_url)(url)
    return settings.model_copy(update={"data_dir": tmp_path, "database_url": secret})


@pytest.fixture
def on_sqlite(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"data_dir": tmp_path})


def test_a_permit_to_write_is_on_disk_before_the_resource_gets_the_call(
    own: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    on_arrival: list[list[str]] = []

    async def look(request: Arrived, receive: Any, send: Any) -> None:
        on_arrival.append([row["decision_id"] for row in stored(own)])
        await plain(request, receive, send)

    with gateway_with(own) as client:
        resource.handler = look
        answers = [transfer(client, issuer) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    for answer, rows in zip(answers, on_arrival, strict=True):
        assert answer.headers["decision-id"] in rows


def test_reads_and_refusals_are_on_disk_within_a_second(own: Settings, issuer: TestIssuer) -> None:
    def seconds(answer: httpx2.Response) -> float:
        begin = time.monotonic()
        until(lambda: answer.headers["decision-id"] in {row["decision_id"] for row in stored(own)})
        return time.monotonic() - begin

    with gateway_with(own) as client:
        transfer(client, issuer)  # everything is open by now
        # The best of several: how busy this machine is, is not what this test is about.
        assert min(seconds(read(client, issuer)) for _ in range(5)) < 1
        assert min(seconds(client.get("/accounts")) for _ in range(5)) < 1


def test_a_stop_writes_what_is_left_and_what_is_printed_is_what_is_stored(
    own: Settings, resource: RecordingResource, issuer: TestIssuer, records: Records
) -> None:
    with gateway_with(own) as client, ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(read, client, issuer) for _ in range(50)]:
            assert each.result().status_code == 200
    printed = {record["decision_id"]: record for record in records()}
    link = {"id", "position", "previous_hash", "hash"}
    kept = [{name: value for name, value in row.items() if name not in link} for row in stored(own)]
    assert {row["decision_id"]: row for row in kept} == printed
    assert len(printed) == 50
    assert verdict_of(own).fault is None


def test_two_gateways_on_one_database_write_one_chain(own: Settings, issuer: TestIssuer) -> None:
    with gateway_with(own) as one, gateway_with(own) as other, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(transfer, client, issuer) for client in (one, other) * 20]
        assert {call.result().status_code for call in calls} == {200}
    verdict = verdict_of(own)
    assert (verdict.fault, verdict.records) == (None, 40)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the database's write lock."""
    lock = sqlite3.connect(settings.data_dir / "gateway.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    yield
    lock.execute("ROLLBACK")
    lock.close()


@contextmanager
def full(settings: Settings) -> Iterator[None]:
    """Make every insert of a record fail, as a full disk would."""
    for sql in (
        "CREATE TRIGGER full BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        "DROP TRIGGER full",
    ):
        with database_of(settings) as engine, engine.begin() as connection:
            connection.exec_driver_sql(sql)
        if sql.startswith("CREATE"):
            yield


@pytest.mark.parametrize("broken", [locked, full])
def test_while_nothing_can_be_recorded_nothing_is_permitted_and_it_recovers_by_itself(
    on_sqlite: Settings, resource: RecordingResource, issuer: TestIssuer, broken: Any
) -> None:
    with gateway_with(on_sqlite, record_bound_seconds=0.3, record_wait_seconds=1.0) as client:
        until(lambda: transfer(client, issuer).status_code == 200)
        arrived = len(resource.arrived)
        with broken(on_sqlite):
            refused = transfer(client, issuer, traceparent=f"00-{TRACE}-0123456789abcdef-01")
            assert refused.status_code == 503
            assert refused.json()["type"].endswith("/decision-not-recorded")
            assert refused.json()["operation"] == "account.transfer"
            assert refused.headers["retry-after"]
            assert refused.headers["decision"].startswith("deny;")
            assert len(resource.arrived) == arrived
            until(lambda: read(client, issuer).status_code == 503)
            assert transfer(client, issuer).status_code == 503
            ready = client.get("/readyz")
            assert ready.status_code == 503
            assert "cannot be recorded" in ready.json()["lacking"]["records"]
            assert client.get("/accounts").status_code == 401
        until(lambda: read(client, issuer).status_code == 200)
        until(lambda: transfer(client, issuer).status_code == 200)
        until(lambda: client.get("/readyz").json().get("lacking", {}).get("records") is None)
    rows = stored(on_sqlite)
    [row] = [row for row in rows if row["trace_id"] == TRACE]
    assert (row["decision_id"], row["decision"]) == (refused.headers["decision-id"], "deny")
    assert verdict_of(on_sqlite).fault is None


def test_a_flood_of_refusals_leaves_room_for_permits(
    on_sqlite: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    with gateway_with(on_sqlite, record_bound_seconds=10.0, record_queue=20) as client:
        transfer(client, issuer)
        with locked(on_sqlite):
            assert {client.get("/accounts").status_code for _ in range(30)} == {401}
            assert {read(client, issuer).status_code for _ in range(10)} == {200}
            assert read(client, issuer).status_code == 503
        until(lambda: read(client, issuer).status_code == 200)
    assert verdict_of(on_sqlite).fault is None


def test_a_gateway_whose_database_is_not_there_yet_waits_for_it(
    on_sqlite: Settings, issuer: TestIssuer
) -> None:
    (on_sqlite.data_dir / "gateway.sqlite3").mkdir(parents=True)
    with gateway_with(on_sqlite, record_bound_seconds=0.2, record_wait_seconds=0.2) as client:
        assert transfer(client, issuer).status_code == 503
        assert "records" in client.get("/readyz").json()["lacking"]
        (on_sqlite.data_dir / "gateway.sqlite3").rmdir()
        until(lambda: transfer(client, issuer).status_code == 200)


class BreaksAfterCommit(RecordStore):
    """Loses the connection after the first commit of records, as it were: nobody knows that they are kept."""

    broken = False

    def append(self, records: Iterable[Record], *, again: bool = False) -> None:
        listed = list(records)
        super().append(listed, again=again)
        if listed and not self.broken:
            self.broken = True
            raise OperationalError("COMMIT", None, Exception("the connection is lost"))


def test_a_commit_of_which_nothing_is_known_is_made_once(
    on_sqlite: Settings, resource: RecordingResource, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.RecordStore", BreaksAfterCommit)
    with gateway_with(on_sqlite) as client:
        answers = [transfer(client, issuer) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    kept = [row["decision_id"] for row in stored(on_sqlite)]
    assert kept == [answer.headers["decision-id"] for answer in answers]
    assert verdict_of(on_sqlite).fault is None


class Process:
    """The gateway as it is run for real; its address is what uvicorn says when it is ready."""

    def __init__(self, settings: Settings) -> None:
        environment = {
            "DATA_DIR": str(settings.data_dir),
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "JWKS_URI": settings.jwks_uri,
            "POLICY_FILE": str(settings.policy_file),
            "UPSTREAM_URL": settings.upstream_url,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "gateway.app:create_app", "--factory", "--port", "0"],
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        found = (re.search(r"running on (http://\S+)", line) for line in self._process.stderr)
        self.url = next(match.group(1) for match in found if match)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=20)


def call_until_killed(process: Process, issuer: TestIssuer, moment: float) -> list[str]:
    """Write and read from four clients until the process is killed; return the writes that were answered."""
    answered: list[str] = []

    def client() -> None:
        with httpx2.Client(base_url=process.url) as http:
            while True:
                try:
                    answer = transfer(http, issuer)
                    if answer.is_success:  # else it was refused, for a slow database: no write
                        answered.append(answer.headers["decision-id"])
                    read(http, issuer)
                except httpx2.TransportError:
                    return

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: bool(answered))
    time.sleep(moment)
    process.kill()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return answered


def test_a_gateway_killed_at_any_moment_has_recorded_every_write_that_reached_the_resource(
    own: Settings, resource: RecordingResource, issuer: TestIssuer
) -> None:
    answered: list[str] = []
    for _ in range(6):
        answered += call_until_killed(Process(own), issuer, random.uniform(0, 0.3))
        assert verdict_of(own).fault is None
    rows = stored(own)
    permits = [row for row in rows if (row["operation"], row["decision"]) == ("account.transfer", "permit")]
    assert set(answered) <= {row["decision_id"] for row in permits}
    reached = [one for one in resource.arrived if one.method == "POST"]
    assert len(answered) <= len(reached) <= len(permits)
    assert {row["sub"] for row in permits} == {CUSTOMER}
