"""Whatever ends a token tells of it, also when somebody exchanges at that very moment."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import pytest

from auth_server.agent_history import By
from auth_server.agent_registry import Transition, change_state
from tests.auth_server.servers import AGENT, ISSUER, AuthServer, Tokens, claims
from tests.auth_server.test_security_events import (
    Receiver,
    delegated,
    new_receiver,
    of_token,
    receiver,
    receiver_keys,
    server,
    subjects,
)

__all__ = ["new_receiver", "receiver", "receiver_keys", "server"]
WORKERS = 4
EXCHANGES = 4


def switch(server: AuthServer, transition: Transition) -> None:
    by = By(who="a test", why="to see it", at=server.clock())
    with server.context.transaction() as db:
        change_state(db, AGENT, transition, by)


def withdraw(server: AuthServer, tokens: Tokens) -> httpx2.Response:
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    [grant] = server.http.get("/grants", headers=own).json()["grants"]
    return server.http.delete(f"/grants/{grant['grant_id']}", headers=own)


def sign_out(server: AuthServer, tokens: Tokens) -> httpx2.Response:
    return server.http.get("/end-session", params={"id_token_hint": tokens.first["id_token"]})


ENDINGS: dict[str, Callable[[AuthServer, Tokens, str, str], object]] = {
    "revoked": lambda server, _tokens, subject, _used: server.app.post("/revoke", {"token": subject}),
    "withdrawn": lambda server, tokens, _subject, _used: withdraw(server, tokens),
    "signed out": lambda server, tokens, _subject, _used: sign_out(server, tokens),
    "suspended": lambda server, _tokens, _subject, _used: switch(server, "suspend"),
    "refreshed twice": lambda server, _tokens, _subject, used: server.app.token(
        grant_type="refresh_token", refresh_token=used
    ),
}


def is_told(told: dict[str, dict[str, Any]], token: str) -> bool:
    """Tell whether what was told ends a token, as docs/kill-switch.md has it."""
    content = claims(token)
    for one in told.values():
        subject, earlier = one["sub_id"], content["iat"] < one["toe"]
        match subject["format"]:
            case "jwt_id" if subject["jti"] == content["jti"]:
                return True
            case "iss_sub" if earlier and subject["sub"] == content["client_id"]:
                return True
            case "complex" if earlier and subject["application"]["sub"] == content["client_id"]:
                if subject["user"]["sub"] == content["sub"]:
                    return True
    return False


def exchanged_meanwhile(server: AuthServer, subject: str, end: Callable[[], object]) -> list[str]:
    """Exchange from several sides while something ends; return the delegation tokens that were issued."""
    actor, together = server.actor_token(), threading.Barrier(WORKERS + 1)

    def exchange() -> list[str]:
        together.wait()
        answers = [server.exchange(subject, actor_token=actor) for _ in range(EXCHANGES)]
        return [answer.json()["access_token"] for answer in answers if answer.status_code == 200]

    with ThreadPoolExecutor(WORKERS) as pool:
        exchanging = [pool.submit(exchange) for _ in range(WORKERS)]
        together.wait()
        time.sleep(random.random() * 0.08)  # to meet another moment each time
        end()
        return [token for one in exchanging for token in one.result()]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_exchanged_while_something_ends_is_told_if_it_has_ended_and_not_if_not(
    ending: str, server: AuthServer, receiver: Receiver
) -> None:
    for _ in range(3):
        tokens = server.sign_on(server.new_customer())
        subject, used = tokens.token_for(AGENT), tokens.refresh_token
        tokens.refresh()
        issued = exchanged_meanwhile(server, subject, partial(ENDINGS[ending], server, tokens, subject, used))
        if ending == "suspended":
            switch(server, "resume")
        told = receiver.poll()
        receiver.poll(ack=list(told))
        ended = {token: server.agent.introspect(token) == {"active": False} for token in issued}
        assert {token: is_told(told, token) for token in issued} == ended
        server.clock.forward(seconds=3)


def test_a_refresh_token_that_comes_twice_is_told_token_by_token(
    server: AuthServer, receiver: Receiver
) -> None:
    tokens, subject, delegation = delegated(server)
    server.clock.forward(seconds=5)
    used = tokens.refresh_token
    tokens.refresh()
    assert server.app.token(grant_type="refresh_token", refresh_token=used).status_code == 400
    told = subjects(receiver.poll())
    assert of_token(subject) in told
    assert of_token(delegation) in told


def test_a_suspension_names_what_the_agent_got_in_the_same_second(
    server: AuthServer, receiver: Receiver
) -> None:
    _, subject, earlier = delegated(server)
    server.clock.forward(seconds=5)
    later = server.exchange(subject).json()["access_token"]
    switch(server, "suspend")
    told = subjects(receiver.poll())
    assert of_token(later) in told
    assert of_token(earlier) not in told


def test_streams_that_nobody_needs_make_room(
    receiver: Receiver, new_receiver: Any, server: AuthServer
) -> None:
    server.app.post("/revoke", {"token": delegated(server)[1]})
    told = receiver.poll()
    receiver.poll(ack=list(told))
    for number in range(64):
        server.clock.forward(seconds=1)
        new_receiver(stream=f"a-stream-of-number-{number}").poll()
    assert receiver.poll().keys() == told.keys(), "what was dropped begins anew, and misses nothing"
