"""Whatever ends tokens locks rows in one order: so none of two that run at once waits for the other forever.

Issue 4. PostgreSQL ends a deadlock by failing one of the two; a kill switch may not be the one that fails.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import httpx2
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from auth_server.ended_tokens import (
    revoke_agent,
    revoke_delegations,
    revoke_family,
    revoke_person,
    revoke_session,
)
from auth_server.expiry import remove_expired
from auth_server.held_rows import HeldRows, Names
from auth_server.tables import IssuedToken
from tests.auth_server.administration import BECAUSE, staff_member
from tests.auth_server.servers import AGENT, ISSUER, AuthServer, Tokens

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(2100, 1, 1, tzinfo=UTC)
EVERY = ("sub", "client_id", "family", "sid")

ENDINGS: dict[str, Callable[[Session, str], None]] = {
    "an agent": lambda db, name: revoke_agent(db, name, LONG_AGO),
    "a person": lambda db, name: revoke_person(db, name, LONG_AGO),
    "a grant": lambda db, name: revoke_delegations(db, name, name, LONG_AGO),
    "a session": lambda db, name: revoke_session(db, name, LONG_AGO),
    "a sign-on": lambda db, name: revoke_family(db, name, LONG_AGO),
    "what has expired": lambda db, _name: remove_expired(db, FAR_AWAY.replace(year=2101)),
}


@contextmanager
def locked(server: AuthServer, jti: str) -> Iterator[None]:
    with server.context.engine.begin() as other:
        other.execute(select(IssuedToken.jti).where(IssuedToken.jti == jti).with_for_update())
        yield


def until_somebody_waits_for_a_lock(server: AuthServer) -> None:
    deadline = time.monotonic() + 10
    waits = text(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while not server.rows(waits):
        assert time.monotonic() < deadline, "nobody waits for the row that is locked"


def is_free(server: AuthServer, jti: str) -> bool:
    row = select(IssuedToken.jti).where(IssuedToken.jti == jti).with_for_update(skip_locked=True)
    return bool(server.rows(row))


@pytest.mark.parametrize("ended", ENDINGS)
def test_tokens_are_locked_by_their_jti_whatever_ends_them(ended: str, postgresql_server: AuthServer) -> None:
    server, name = postgresql_server, secrets.token_hex(8)
    first, second = f"a-{name}", f"z-{name}"
    common = dict.fromkeys(EVERY, name) | {"expires_at": FAR_AWAY}  # else the server itself removes them
    with server.context.engine.begin() as connection:
        # In the table they stand the other way round, and so would be locked by a plain UPDATE.
        connection.execute(insert(IssuedToken), [common | {"jti": jti} for jti in (second, first)])

    def end() -> None:
        with server.context.transaction() as db:
            ENDINGS[ended](db, name)

    with ThreadPoolExecutor(1) as pool, locked(server, first):
        ending = pool.submit(end)
        until_somebody_waits_for_a_lock(server)
        was_free = is_free(server, second)
    ending.result()
    assert was_free


def test_an_exchange_holds_its_tokens_in_the_same_order(postgresql_server: AuthServer) -> None:
    server = postgresql_server
    tokens = server.sign_on(server.new_customer())
    with server.context.transaction() as db:
        encoded = (tokens.token_for(AGENT), tokens.token_for(AGENT))
        read = [server.context.server.tokens.read(db, one, server.clock()) for one in encoded]
    first, second = sorted(read, key=lambda token: token.jti)

    def hold() -> None:
        with server.context.transaction() as db:
            names = Names(AGENT, None, (second.jti, first.jti))
            HeldRows(db.connection(), [names], server.clock(), waits=True)

    with ThreadPoolExecutor(1) as pool, locked(server, first.jti):
        holding = pool.submit(hold)
        until_somebody_waits_for_a_lock(server)
        was_free = is_free(server, second.jti)
    holding.result()
    assert was_free


def test_everything_that_ends_tokens_runs_at_once_and_nothing_fails(server: AuthServer) -> None:
    administrator = staff_member(server, "administrator")
    customers = [server.new_customer() for _ in range(3)]
    signed_on = [server.sign_on(customer) for customer in customers for _ in range(2)]
    subjects = [tokens.token_for(AGENT) for tokens in signed_on]
    actor = server.actor_token()

    def switch(what: str, *states: str, **which: str) -> list[httpx2.Response]:
        return [administrator.request("POST", f"/admin/{what}/{state}", BECAUSE, **which) for state in states]

    def withdraw(tokens: Tokens) -> list[httpx2.Response]:
        own = {"authorization": f"Bearer {tokens.first['access_token']}"}
        answer = tokens.refresh(resource=ISSUER)
        if answer.is_success:
            own = {"authorization": f"Bearer {answer.json()['access_token']}"}
        listed = server.http.get("/grants", headers=own)
        grants = listed.json()["grants"] if listed.is_success else []
        gone = [server.http.delete(f"/grants/{grant['grant_id']}", headers=own) for grant in grants]
        return [answer, listed, *gone]

    def sign_out(tokens: Tokens) -> list[httpx2.Response]:
        return [server.http.get("/end-session", params={"id_token_hint": tokens.first["id_token"]})]

    def exchange(subject: str) -> list[httpx2.Response]:
        return [server.exchange(subject, actor) for _ in range(3)]

    work: list[Callable[[], list[httpx2.Response]]] = [
        *(partial(exchange, subject) for subject in subjects),
        partial(switch, "agent", "suspend", "resume", agent_id=AGENT),
        *(partial(switch, "customer", "disable", "enable", sub=customer) for customer in customers),
        *(partial(withdraw, tokens) for tokens in signed_on[::2]),
        *(partial(sign_out, tokens) for tokens in signed_on[1::2]),
        lambda: [server.app.post("/revoke", {"token": subject}) for subject in subjects],
        partial(switch, "agent", "suspend", "resume", agent_id=AGENT),
    ]
    with ThreadPoolExecutor(8) as pool:
        answers = [answer for done in [pool.submit(one) for one in work] for answer in done.result()]
    switch("agent", "resume", agent_id=AGENT)
    assert [answer for answer in answers if answer.status_code >= 500] == []
