"""A service is killed in the midst of revocations: what has ended stays ended, and nothing else ends."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event, Semaphore

import httpx2

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, READ_BALANCE, SAM
from tests.stack.doors import SOON_SECONDS, Doors, bearer
from tests.stack.secrets_seen import Token
from tests.stack.stack import Stack
from tests.stack.waiting import until

REVOCATIONS = 12
_AT_ONCE = 4
"""So many revocations are under way at any moment, each about as far as chance has it."""
_BETWEEN_TRIES_SECONDS = 0.004


@dataclass(frozen=True)
class Parties:
    """The clients who hold tokens and end them, and the doors where tokens are shown."""

    app: BankingApp
    agent: Agent
    everywhere: Sequence[Doors]
    """The first are those of the stack, whose services are killed; others are their replicas."""

    def kill_amid_revocations(self, stack: Stack, killed: str, moment: int) -> None:
        """Kill a service when so many of the revocations have been answered, and start it again.

        Raises:
            AssertionError: a revoked token was taken again, or one that nobody revoked was not.
        """
        signed_on, bystander = self.app.sign_on(ALEX, READ_BALANCE), self.app.sign_on(SAM, READ_BALANCE)
        other = self.agent.delegation_token(bystander.subject_token(), READ_BALANCE)
        subjects = [signed_on.subject_token() for _ in range(REVOCATIONS)]
        tokens = [self.agent.delegation_token(subject, READ_BALANCE) for subject in subjects]
        assert all(doors.serve(token) for doors in self.everywhere for token in (*tokens, other))

        answers = Semaphore(0)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            under_way = [pool.submit(self._revoke, subject, answers) for subject in subjects]
            for _ in range(moment):
                assert answers.acquire(timeout=SOON_SECONDS), "no answer to a revocation"
            stack.kill(killed)
            done = [one.result() for one in under_way]
        acknowledged = [token for token, was_done in zip(tokens, done, strict=True) if was_done]
        assert len(acknowledged) >= moment
        with self._never_served(killed, acknowledged):
            self._unaffected_go_on(killed, acknowledged, other)
            stack.start(killed)
            for doors in self.everywhere:
                doors.expect_ended(*acknowledged)
        for token, was_done in zip(tokens, done, strict=True):
            gone = was_done or not self._is_active(token)
            for doors in self.everywhere:
                look = partial(doors.refuse if gone else doors.serve, token)
                until(look, "what was revoked is refused, and the rest is served", SOON_SECONDS)
        assert all(doors.serve(other) for doors in self.everywhere)

    def _revoke(self, subject: Token, answers: Semaphore) -> bool:
        form = {"token": subject, **self.app.authentication()}
        try:
            answer = self.app.http.post(self.app.deployment.revocation_endpoint, data=form)
        except httpx2.HTTPError:
            return False
        assert answer.status_code == 200
        answers.release()
        return True

    def _unaffected_go_on(self, killed: str, revoked: Sequence[Token], other: Token) -> None:
        """While the service is gone, the doors that do not need it tell the one token from the others."""
        is_door = killed in {"gateway", "account_api"}
        for doors in self.everywhere[1:] if is_door else self.everywhere:
            assert doors.serve(other)
            if is_door:  # without the authorization server no door can have heard of all that has ended
                doors.expect_ended(*revoked)

    @contextmanager
    def _never_served(self, killed: str, tokens: Sequence[Token]) -> Iterator[None]:
        """Ask the killed door with revoked tokens all the time; from its first answer on it serves none."""
        over = Event()
        url, http = getattr(self.everywhere[0].deployment, killed, ""), self.app.http

        def ask() -> set[int]:
            seen = set()
            while not over.is_set():
                for token in tokens:
                    try:
                        seen.add(http.get(f"{url}/accounts", headers=bearer(token)).status_code)
                    except httpx2.HTTPError:
                        time.sleep(_BETWEEN_TRIES_SECONDS)
            return seen

        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask) if url and tokens else None
            try:
                yield
            finally:
                over.set()
            assert asking is None or asking.result() <= {401, 502, 503}

    def _is_active(self, token: Token) -> bool:
        form = {"token": token, **self.agent.authentication()}
        answer = self.app.http.post(self.app.deployment.introspection_endpoint, data=form)
        return bool(answer.json()["active"])
