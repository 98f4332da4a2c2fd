"""Killed at any moment of a revocation, a service never takes the revoked token again.

Issue 4. A dozen revocations are under way, each a little further than the next, when a service gets SIGKILL.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event

import httpx2
import pytest

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, READ_BALANCE
from tests.stack.doors import SOON_SECONDS, Doors, bearer
from tests.stack.secrets_seen import Token
from tests.stack.stack import Stack
from tests.stack.waiting import until

REVOCATIONS = 12
BETWEEN_SECONDS = 0.004
"""Revocations begin so far apart, and the kill is in the middle of them: that is a moment, not a wait."""


@pytest.mark.parametrize("_again", range(2))
@pytest.mark.parametrize("killed", ["gateway", "account_api", "auth_server"])
def test_no_revoked_token_is_taken_again_after_a_kill(
    killed: str, _again: int, stoppable_stack: Stack, app: BankingApp, agent: Agent, http: httpx2.Client
) -> None:
    doors = Doors(stoppable_stack.deployment, http)
    signed_on = app.sign_on(ALEX, READ_BALANCE)
    subjects = [signed_on.subject_token() for _ in range(REVOCATIONS)]
    tokens = [agent.delegation_token(subject, READ_BALANCE) for subject in subjects]
    assert all(doors.serve(token) for token in tokens)

    def revoke(number: int) -> bool:
        time.sleep(number * BETWEEN_SECONDS)
        try:
            form = {"token": subjects[number], **app.authentication()}
            answer = http.post(app.deployment.revocation_endpoint, data=form)
        except httpx2.HTTPError:
            return False
        assert answer.status_code == 200
        return True

    with ThreadPoolExecutor(REVOCATIONS) as pool:
        under_way = [pool.submit(revoke, number) for number in range(REVOCATIONS)]
        time.sleep(REVOCATIONS * BETWEEN_SECONDS / 2)
        stoppable_stack.kill(killed)
        done = [one.result() for one in under_way]
    acknowledged = [token for token, was_done in zip(tokens, done, strict=True) if was_done]
    with never_served(doors, killed, acknowledged):
        stoppable_stack.start(killed)
        doors.expect_ended(*acknowledged)
    for token, was_done in zip(tokens, done, strict=True):
        if was_done or not is_active(app, agent, token):
            doors.expect_ended(token)
        else:
            until(partial(doors.serve, token), "what was not revoked is served", SOON_SECONDS)


@contextmanager
def never_served(doors: Doors, killed: str, tokens: list[Token]) -> Iterator[None]:
    """Ask the killed door with revoked tokens all the time; from its first answer on it serves none."""
    over = Event()
    url = getattr(doors.deployment, killed, "")

    def ask() -> set[int]:
        seen = set()
        while not over.is_set():
            for token in tokens:
                try:
                    seen.add(doors.http.get(f"{url}/accounts", headers=bearer(token)).status_code)
                except httpx2.HTTPError:
                    time.sleep(BETWEEN_SECONDS)
        return seen

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask) if url and tokens else None
        try:
            yield
        finally:
            over.set()
        assert asking is None or asking.result() <= {401, 502, 503}


def is_active(app: BankingApp, agent: Agent, token: Token) -> bool:
    form = {"token": token, **agent.authentication()}
    answer = app.http.post(app.deployment.introspection_endpoint, data=form)
    return bool(answer.json()["active"])
