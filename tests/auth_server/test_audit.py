"""The authorization server's records are one signed chain, which staff can question and nobody can change."""

import asyncio
import csv
import io
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from sqlalchemy import func, select, text

from auth_server.books import keeping
from auth_server.tables import RECORD, IssuedToken
from delegation.clock import utc_now
from delegation.record_keeping import keep_once
from delegation.signing_key import SigningKey
from tests.auth_server.administration import staff_member
from tests.auth_server.audits import run, verdict
from tests.auth_server.client import RegisteredClient
from tests.auth_server.registry import OTHER
from tests.auth_server.servers import AGENT, BALANCE, ISSUER, AuthServer, running_server
from tests.clock import SetClock
from tests.held_query import held_query
from tests.jwks_server import JwksServer

HEAD = {"position": 7, "hash": "a" * 64}


def keep(server: AuthServer) -> None:
    """Have done what is due; the server itself looks every second."""
    asyncio.run(keep_once(keeping(server.context)))


@pytest.fixture(scope="module")
def gateway_keys() -> Iterator[JwksServer]:
    with JwksServer([SigningKey.generate()]).serving() as serving:
        yield serving


@pytest.fixture
def with_gateway(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer, gateway_keys: JwksServer
) -> Iterator[tuple[AuthServer, RegisteredClient]]:
    """A server, and the gateway as its client."""
    clock = SetClock()
    with running_server(
        tmp_path, app_keys, agent_keys, clock, gateway_jwks_uri=gateway_keys.jwks_uri
    ) as server:
        yield (
            server,
            RegisteredClient("gateway", gateway_keys.keys[0], server.settings.issuer, clock, server.http),
        )


def test_what_many_clients_do_at_once_is_one_chain(
    own_server_on_each: AuthServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server_on_each
    subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
    with ThreadPoolExecutor(8) as pool:
        exchanged = [pool.submit(server.exchange, subject_token) for _ in range(24)]
    assert {each.result().status_code for each in exchanged} == {200}
    keep(server)
    status, said = verdict(server, capsys, monkeypatch)
    assert (status, said["fault"], said["records"]) == (0, None, len(server.records()))
    # What is due is also signed by the server itself, perhaps a little earlier than by this test.
    assert said["checkpoints"] >= 1


def test_two_servers_on_one_database_write_one_chain(
    tmp_path: Path,
    postgresql_server: AuthServer,
    app_keys: JwksServer,
    agent_keys: JwksServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = postgresql_server
    with running_server(
        one.settings.data_dir, app_keys, agent_keys, SetClock(), database_url=one.settings.database_url
    ) as other:
        subject_token = one.sign_on(one.new_customer()).token_for(AGENT)
        with ThreadPoolExecutor(8) as pool:
            exchanged = [pool.submit(server.exchange, subject_token) for server in (one, other) * 10]
        assert {each.result().status_code for each in exchanged} == {200}
    keep(one)
    status, said = verdict(one, capsys, monkeypatch)
    assert (status, said["fault"], said["records"]) == (0, None, len(one.records()))


def test_the_command_names_the_record_that_was_changed(
    own_server_on_each: AuthServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server_on_each
    server.sign_on(server.new_customer())
    with server.context.engine.begin() as connection:
        connection.execute(text("UPDATE record SET sub = 'somebody@example.com' WHERE position = 4"))
    status, said = verdict(server, capsys, monkeypatch)
    assert (status, said["fault"]["kind"], said["fault"]["position"]) == (1, "changed", 4)
    status, out, _ = run(server, capsys, monkeypatch, "verify")
    assert (status, "NOT INTACT: changed: position 4" in out) == (1, True)


def test_checkpoints_outlive_the_key_that_signed_them(
    own_server: AuthServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own_server.sign_on(own_server.new_customer())
    keep(own_server)
    keys = own_server.context.server.tokens.keys
    signed_by = keys.current().kid
    for _ in range(2):
        keys.rotate()
        own_server.clock.forward(minutes=20)
    assert signed_by not in {key["kid"] for key in own_server.http.get("/jwks").json()["keys"]}
    published = own_server.http.get("/checkpoint-keys").json()
    assert signed_by in {key["kid"] for key in published["keys"]}
    assert all("d" not in key for key in published["keys"])
    status, said = verdict(own_server, capsys, monkeypatch)
    assert (status, said["unknown_keys"]) == (0, 0)
    assert said["checkpoints"] >= 1
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(own_server.http.get("/jwks").json()))
    with own_server.context.engine.begin() as connection:
        first = "SELECT min(position) FROM record_checkpoint"
        connection.execute(text(f"DELETE FROM record_checkpoint WHERE position > ({first})"))
    status, _, err = run(own_server, capsys, monkeypatch, "verify", "--jwks", str(file))
    assert status == 2
    assert "no signature could be verified" in err


def test_a_checkpoint_kept_elsewhere_shows_what_was_hidden_in_the_database(
    own_server: AuthServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own_server.sign_on(own_server.new_customer())
    own_server.clock.forward(minutes=10)
    keep(own_server)
    status, printed, _ = run(own_server, capsys, monkeypatch, "checkpoints")
    assert (status, printed.count(".")) == (0, 2)
    file = tmp_path_factory.mktemp("kept") / "checkpoint"
    file.write_text(printed)
    kept = ("--checkpoint", str(file))
    status, said = verdict(own_server, capsys, monkeypatch, kept)
    assert (status, said["intact"], said["kept"]) == (0, True, 1)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(printed))
        assert verdict(own_server, capsys, monkeypatch, ("--checkpoint", "-"))[1]["kept"] == 1
    with own_server.context.engine.begin() as connection:
        connection.execute(text("DELETE FROM record_checkpoint"))
        last = "(SELECT max(position) FROM record)"
        connection.execute(text(f"DELETE FROM record WHERE position = {last}"))
        row = f"(SELECT hash FROM record WHERE position = {last})"
        connection.execute(text(f"UPDATE record_chain SET position = {last}, hash = {row}"))
        # The running server must not sign the shorter chain before it is looked at.
        connection.execute(
            text(
                "CREATE TRIGGER none BEFORE INSERT ON record_checkpoint "
                "BEGIN SELECT RAISE(ABORT, 'none'); END"
            )
        )
    status, out, err = run(own_server, capsys, monkeypatch, "verify")
    assert (status, "CANNOT TELL" in out) == (2, True)
    assert "NOT SIGNED: there are records since" in err
    status, out, _ = run(own_server, capsys, monkeypatch, "verify", *kept)
    assert (status, "NOT INTACT: removed: position" in out) == (1, True)
    file.write_text("something else")
    status, _, err = run(own_server, capsys, monkeypatch, "verify", *kept)
    assert (status, "has no checkpoint of auth_server" in err) == (2, True)


def test_records_are_removed_by_age_with_one_command_and_the_rest_is_intact(
    own_server_on_each: AuthServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server_on_each
    server.sign_on(server.new_customer())
    server.clock.forward(days=10)
    server.sign_on(server.new_customer())
    total = len(server.records())
    days = (utc_now() - server.clock.now).days + 5  # the command line goes by this machine's clock
    status, out, _ = run(server, capsys, monkeypatch, "prune", "--older-than", str(days), "--by", "Kim")
    assert status == 0
    cut = int(re.findall(r"position (\d+)", out)[0])
    left = server.records()
    assert (len(left), left[-1]["operation"]) == (total - cut + 1, "audit.prune")
    assert left[-1]["reason"].startswith("Kim: ")
    keep(server)
    status, said = verdict(server, capsys, monkeypatch)
    assert (status, said["cut"], said["fault"]) == (0, cut, None)
    status, out, _ = run(server, capsys, monkeypatch, "prune", "--older-than", str(days))
    assert (status, out) == (0, "there was nothing to remove\n")


def test_a_service_has_its_chain_signed_and_the_signature_is_a_record(
    with_gateway: tuple[AuthServer, RegisteredClient],
) -> None:
    server, gateway = with_gateway
    token = gateway.token(grant_type="client_credentials").json()["access_token"]
    own = {"authorization": f"Bearer {token}"}
    answer = server.http.post("/checkpoints", json=HEAD, headers=own)
    assert answer.status_code == 200
    signed = answer.json()["checkpoint"]
    assert jwt.get_unverified_header(signed)["typ"] == "checkpoint+jwt"
    [key] = server.http.get("/checkpoint-keys").json()["keys"]
    claims = jwt.decode(signed, jwt.PyJWK(key), algorithms=["ES256"], options={"verify_iat": False})
    assert claims == {"iss": ISSUER, "iat": int(server.clock.now.timestamp()), "service": "gateway"} | HEAD
    counted = server.http.post("/checkpoints", json=HEAD | {"position": 3, "unchained": 2}, headers=own)
    assert jwt.decode(counted.json()["checkpoint"], options={"verify_signature": False})["unchained"] == 2
    first, second = server.records(operation="audit.checkpoint")
    assert (first["client_id"], first["resource"]) == ("gateway", "/checkpoints/gateway/7")
    assert "a" * 64 in first["reason"]
    assert "went back" not in first["reason"]
    assert "went back: position 7" in second["reason"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"position": 0, "hash": "a" * 64},
        {"position": 2**63, "hash": "a" * 64},
        {"position": 1, "hash": "A" * 64},
        {"position": 1, "hash": "a" * 63},
        HEAD | {"service": "auth_server"},
    ],
)
def test_what_is_no_head_is_not_signed(
    with_gateway: tuple[AuthServer, RegisteredClient], body: dict[str, Any]
) -> None:
    server, gateway = with_gateway
    token = gateway.token(grant_type="client_credentials").json()["access_token"]
    answer = server.http.post("/checkpoints", json=body, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 422


def test_nobody_but_a_service_has_anything_signed(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    for token in (server.actor_token(), tokens.token_for(ISSUER), tokens.token_for(AGENT)):
        answer = server.http.post("/checkpoints", json=HEAD, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    assert server.http.post("/checkpoints", json=HEAD).status_code == 401


def staff(server: AuthServer, role: str = "auditor") -> dict[str, str]:
    """Return the header of a new member of staff's token."""
    return {"authorization": f"Bearer {staff_member(server, role).token}"}


def ask(server: AuthServer, **parameters: Any) -> httpx2.Response:
    return server.http.get("/audit", params=parameters, headers=staff(server))


def test_an_auditor_finds_what_an_agent_did_for_a_customer(server: AuthServer, customer: str) -> None:
    server.exchange(server.sign_on(customer).token_for(AGENT))
    found = ask(server, sub=customer, agent=AGENT, operation="token.exchange").json()
    [record] = found["records"]
    assert (record["sub"], record["act"], record["scope"], record["decision"]) == (
        *(customer, [AGENT], BALANCE),
        "permit",
    )
    assert found["next"] is None
    first = ask(server, sub=customer, limit=2).json()
    rest = ask(server, sub=customer, after=first["next"], limit=1000).json()
    stored = [record["decision_id"] for record in server.records(sub=customer)]
    assert [record["decision_id"] for record in first["records"] + rest["records"]] == stored
    newest = ask(server, sub=customer, limit=1, order="newest").json()["records"]
    assert newest[0]["decision_id"] == stored[-1]
    lines = ask(server, sub=customer, format="jsonl")
    assert [json.loads(line)["decision_id"] for line in lines.text.splitlines()] == stored
    table = ask(server, sub=customer, format="csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert [row["decision_id"] for row in csv.DictReader(io.StringIO(table.text))] == stored
    [*_, reading] = server.records(operation="audit.read")
    assert (reading["decision"], reading["client_id"]) == ("permit", "banking-app")


def test_no_token_waits_for_an_audit_query(
    own_server_on_each: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server_on_each
    subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
    auditor = staff(server)

    def ask() -> httpx2.Response:
        return server.http.get("/audit", params={"agent": AGENT}, headers=auditor)

    with held_query(monkeypatch, "auth_server.audit_trail", ask) as answered:
        began = time.monotonic()
        assert server.exchange(subject_token).status_code == 200
        assert time.monotonic() - began < 2
    assert answered[0].status_code == 200


def test_an_owner_reads_the_records_of_its_own_agents_alone(server: AuthServer) -> None:
    owner = staff(server, "owner")
    assert server.http.get("/audit", headers=owner).status_code == 403
    assert server.http.get("/audit", params={"agent": AGENT}, headers=owner).status_code == 404
    assert server.http.get("/audit", params={"agent": OTHER}, headers=owner).status_code == 404
    administrator = staff(server, "administrator")
    assert server.http.get("/audit", params={"agent": AGENT}, headers=administrator).status_code == 200


def test_only_an_auditor_reads_everybodys_records(server: AuthServer, customer: str) -> None:
    for headers, status in (
        ({}, 401),
        ({"authorization": f"Bearer {server.sign_on(customer).token_for(ISSUER)}"}, 403),
        ({"authorization": f"Bearer {server.actor_token()}"}, 401),
    ):
        answer = server.http.get("/audit", headers=headers)
        assert answer.status_code == status
        assert "audit:read" in answer.headers["www-authenticate"] or status == 401


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 1001},
        {"after": -1},
        {"after": 2**63},
        {"decision": "maybe"},
        {"from": "yesterday"},
        {"from": "0001-01-01T00:00:00+23:59"},
        {"trace_id": "x"},
        {"sub": "a\x00b"},
        {"format": "pdf"},
    ],
)
def test_a_malformed_question_is_refused(server: AuthServer, parameters: dict[str, Any]) -> None:
    answer = ask(server, **parameters)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@contextmanager
def no_record_can_be_written(server: AuthServer) -> Iterator[None]:
    """Make every insert of a record fail, as a full disk would."""
    with server.context.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            what = "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            connection.execute(text(f"CREATE TRIGGER full BEFORE INSERT ON record {what}"))
        else:
            body = "$$ BEGIN RAISE 'disk full'; END $$"
            connection.execute(
                text(f"CREATE FUNCTION raise_full() RETURNS trigger LANGUAGE plpgsql AS {body}")
            )
            connection.execute(
                text("CREATE TRIGGER full_disk BEFORE INSERT ON record EXECUTE FUNCTION raise_full()")
            )
    yield
    with server.context.engine.begin() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.execute(text("DROP TRIGGER full" if is_sqlite else "DROP TRIGGER full_disk ON record"))


def test_what_cannot_be_recorded_is_not_decided(own_server_on_each: AuthServer) -> None:
    server = own_server_on_each
    tokens = server.sign_on(server.new_customer())
    subject_token, own = tokens.token_for(AGENT), tokens.token_for(ISSUER)
    actor_token = server.actor_token()
    issued = select(func.count()).select_from(IssuedToken)
    before, kept = server.rows(issued), len(server.records())
    headers = {"authorization": f"Bearer {own}"}
    [grant] = server.http.get("/grants", headers=headers).json()["grants"]
    with no_record_can_be_written(server):
        for answer in (
            server.exchange(subject_token, actor_token),
            server.agent.token(grant_type="client_credentials"),
            server.http.delete(f"/grants/{grant['grant_id']}", headers=headers),
            server.http.get("/userinfo", headers=headers),
        ):
            assert answer.status_code == 503
        assert server.rows(issued) == before
        assert len(server.records()) == kept + 1
    assert len(server.http.get("/grants", headers=headers).json()["grants"]) == 1
    assert server.exchange(subject_token, actor_token).status_code == 200


def test_nothing_is_decided_while_the_database_is_locked(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("delegation.database._TIMEOUT_SECONDS", 1)
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as server:
        actor_token = server.actor_token()
        subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
        rows = server.rows(select(func.count()).select_from(RECORD))
        lock = sqlite3.connect(tmp_path / "auth_server.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        assert server.exchange(subject_token, actor_token).status_code == 503
        lock.execute("ROLLBACK")
        lock.close()
        assert server.rows(select(func.count()).select_from(RECORD)) == rows
        assert server.exchange(subject_token, actor_token).status_code == 200
