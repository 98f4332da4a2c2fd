"""Restarts, several servers on one database, a database that is locked or down, and what is thrown away."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from auth_server.app import create_app
from auth_server.expiry import remove_expired
from auth_server.settings import Settings
from auth_server.tables import (
    AuthorizationCode,
    Customer,
    DelegationGrant,
    FailedSignOn,
    IssuedToken,
    RefreshToken,
    SignOnSession,
    UsedAssertion,
)
from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    ISSUER,
    AuthorizationRequest,
    AuthServer,
    running_server,
    sign_on,
)
from tests.clock import SetClock
from tests.jwks_server import JwksServer
from tests.postgres import running_postgres


def test_a_restart_keeps_sessions_tokens_and_grants(
    tmp_path: Path, database_url: str, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), database_url=database_url) as server:
        tokens = server.sign_on(server.new_customer())
        subject_token = tokens.token_for(AGENT)
        cookies = tokens.browser.http.cookies
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), database_url=database_url) as server:
        assert server.exchange(subject_token).status_code == 200
        tokens.server = server
        own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
        assert len(server.http.get("/grants", headers=own).json()["grants"]) == 1
        browser = server.browser()
        browser.http.cookies = cookies
        request = AuthorizationRequest()
        assert "code" in browser.open("/authorize", request.query).parameters


def test_a_form_from_before_a_restart_is_still_good(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as server:
        browser, customer = server.browser(), server.new_customer()
        page = browser.open("/authorize", AuthorizationRequest(resource=ACCOUNT_API).query)
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as server:
        after = server.browser()
        after.http.cookies = browser.http.cookies
        answer = after.submit(page, username=customer, password="correct horse battery staple")
        assert "code" in answer.parameters


def test_a_resource_that_is_renamed_ends_its_tokens_and_is_no_fault(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as server:
        tokens = server.sign_on(server.new_customer())
    renamed = {"account_api_audience": "https://accounts.example.com"}
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), **renamed) as server:
        tokens.server = server
        assert refusal(tokens.refresh(resource=ACCOUNT_API)) == (400, "invalid_target")
        assert tokens.token_for(ISSUER)


def test_several_servers_can_start_at_once_on_one_empty_database(tmp_path: Path, database_url: str) -> None:
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    with ThreadPoolExecutor(6) as pool:
        apps = list(pool.map(lambda _: create_app(settings), range(6)))
    contexts = [app.state.context for app in apps]
    assert len({context.csrf.token("x") for context in contexts}) == 1
    with contexts[0].transaction() as db:
        assert db.scalar(select(func.count()).select_from(Customer)) == 3
    for context in contexts:
        context.engine.dispose()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold SQLite's one write lock."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()


def test_a_locked_database_is_503_in_the_callers_own_form_and_recovers(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as server:
        customer = server.new_customer()
        tokens = server.sign_on(customer)
        own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
        subject, actor = tokens.token_for(AGENT), server.actor_token()
        assert server.exchange(subject, actor).status_code == 200
        page = server.browser().open("/authorize", AuthorizationRequest(prompt="login").query)
        capsys.readouterr()
        with locked(tmp_path / "auth_server.db"), ThreadPoolExecutor(6) as pool:
            exchange = pool.submit(server.exchange, subject, actor)
            token = pool.submit(server.agent.token, grant_type="client_credentials")
            grants = pool.submit(server.http.get, "/grants", headers=own)
            opened = pool.submit(server.browser().open, "/authorize", AuthorizationRequest().query)
            malformed = pool.submit(server.http.get, "/authorize?a=1&a=2")
            ready = pool.submit(server.http.get, "/readyz")
            assert refusal(token.result()) == (503, "temporarily_unavailable")
            assert refusal(exchange.result()) == (503, "temporarily_unavailable")
            assert grants.result().status_code == 503
            assert grants.result().headers["content-type"] == "application/problem+json"
            assert opened.result().status == 503
            assert "try again in a moment" in opened.result().text
            assert malformed.result().status_code == 400
            assert ready.result().status_code == 503
            assert "database" in ready.result().json()["lacking"]
            assert server.http.get("/healthz").status_code == 200
        printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {(record["operation"], record["decision"]) for record in printed} == {
            ("token.unknown_grant", "deny"),
            ("grant.list", "deny"),
            ("authorize", "deny"),
        }
        assert len(printed) == 5
        assert page.status == 200
        assert server.agent.token(grant_type="client_credentials").status_code == 200
        assert server.exchange(subject, actor).status_code == 200
        assert server.http.get("/grants", headers=own).status_code == 200
        assert server.http.get("/readyz").json() == {"status": "ready"}


def test_a_database_that_is_down_is_503_and_recovers(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    with running_postgres() as postgres:
        url = postgres.new_database()
        with running_server(tmp_path, app_keys, agent_keys, SetClock(), database_url=url) as server:
            subject, actor = server.sign_on(server.new_customer()).token_for(AGENT), server.actor_token()
            assert server.exchange(subject, actor).status_code == 200
            postgres.stop()
            for response in (
                server.agent.token(grant_type="client_credentials"),
                server.exchange(subject, actor),
            ):
                assert refusal(response) == (503, "temporarily_unavailable")
            assert server.http.get("/readyz").status_code == 503
            postgres.start()
            assert server.agent.token(grant_type="client_credentials").status_code == 200
            assert server.exchange(subject, actor).status_code == 200
            assert server.http.get("/readyz").status_code == 200


def test_a_database_of_another_kind_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        create_app(Settings(data_dir=tmp_path, database_url="mysql://localhost/x"))


def test_what_has_expired_is_removed_and_the_rest_stays(own_server_on_each: AuthServer) -> None:
    customer = own_server_on_each.new_customer()
    own_server_on_each.sign_on(customer)
    sign_on(own_server_on_each.browser(), AuthorizationRequest(), "nobody@example.com", "wrong")
    tables = (AuthorizationCode, RefreshToken, IssuedToken, SignOnSession, UsedAssertion, FailedSignOn)

    def purge_after(**time: float) -> dict[str, int]:
        own_server_on_each.clock.forward(**time)
        with own_server_on_each.context.transaction() as db:
            remove_expired(db, own_server_on_each.clock.now)
        return {
            table.__tablename__: own_server_on_each.rows(select(func.count()).select_from(table))[0][0]
            for table in tables
        }

    assert all(purge_after(minutes=59).values())
    left = purge_after(hours=2)
    assert left["refresh_token"] > 0
    assert left["sign_on_session"] > 0
    assert [left[n] for n in ("authorization_code", "issued_token", "used_assertion")] == [0, 0, 0]
    assert not any(purge_after(hours=11).values())
    assert own_server_on_each.rows(select(func.count()).select_from(DelegationGrant))[0][0] == 1


def test_a_running_server_removes_what_has_expired(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    clock = SetClock()
    with running_server(tmp_path, app_keys, agent_keys, clock) as server:
        server.sign_on(server.new_customer())
    clock.now += timedelta(days=2, seconds=1)
    with running_server(tmp_path, app_keys, agent_keys, clock, record_days=1) as server:
        # It does so at once when it starts; a later transaction waits for the one that removes.
        for _ in range(50):
            server.http.get("/readyz")
            left = server.rows(select(func.count()).select_from(RefreshToken))[0][0]
            operations = [record["operation"] for record in server.records()]
            if (left, operations) == (0, ["audit.prune"]):
                break
        assert (left, operations) == (0, ["audit.prune"])
