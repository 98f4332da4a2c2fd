"""`python -m benchmarks.revocation`: how soon an ended token is refused at the gateway and the account API.

Starts the five services for itself on free ports of 127.0.0.1, with 10,000 live delegation tokens, and ends
them. Each trial ends one delegation by one of the paths, and asks both services with its token, one request
after the other, until each refuses it. Counted from when the request that ends it is sent; for a suspension,
from when another process that was started before is told to. Takes about a minute.
"""

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import httpx2
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp, SignedOn
from tests.stack.deployment import ALEX, READ_BALANCE
from tests.stack.local_stack import own_stack
from tests.stack.secrets_seen import SecretsSeen
from tests.stack.stack import Stack

LIVE_TOKENS: Final = 10_000
TRIALS: Final = {"token revoked": 60, "permission withdrawn": 40, "signed out": 40, "agent suspended": 20}

_ISSUE = """
import sys
from datetime import timedelta
from auth_server.settings import Settings
from auth_server.signing_keys import SigningKeys
from auth_server.tables import IssuedToken
from auth_server.tokens import TokenContent, TokenIssuer
from auth_server.audit import transaction
from delegation.clock import utc_now
from delegation.database import open_database
from delegation.scope import Scope
from delegation.token import Actor
settings, now = Settings(), utc_now()
issuer = TokenIssuer(settings.issuer, SigningKeys(settings.data_dir / "keys", utc_now))
content = dict(client_id=settings.agent_id, audience=settings.account_api_audience,
    act=Actor(settings.agent_id), scope=Scope({"account:read_balance"}),
    expires_at=now + timedelta(seconds=300))
with transaction(open_database(settings.database_url, settings.data_dir / "auth_server.db")) as db:
    for number in range(int(sys.argv[1])):
        issuer.issue(db, TokenContent(sub=f"somebody-{number}@example.com", **content), now)
"""
_SWITCH = """
import sys, time
from auth_server.agent_history import By
from auth_server.agent_registry import change_state
from auth_server.audit import transaction
from auth_server.settings import Settings
from delegation.clock import utc_now
from delegation.database import open_database
settings = Settings()
engine = open_database(settings.database_url, settings.data_dir / "auth_server.db")
for line in sys.stdin:
    with transaction(engine) as db:
        by = By(who="a benchmark", why="to measure it", at=utc_now())
        change_state(db, settings.agent_id, line.strip(), by)
    print("done", file=sys.stderr, flush=True)
"""


@dataclass(frozen=True)
class Delegation:
    """One sign-on, the token that the agent got under it, and the tokens that end it."""

    signed_on: SignedOn
    subject: str
    token: str


class Bench:
    """The stack, and the ways to end a delegation in it."""

    def __init__(self, stack: Stack, http: httpx2.Client, switch: subprocess.Popen[str]) -> None:
        seen = SecretsSeen({stack.deployment.password})
        self.stack = stack
        self.http = http
        self.app = BankingApp(stack.deployment, stack.client_key("banking_app"), http, seen)
        self.agent = Agent(stack.deployment, stack.client_key("chatbot"), http, seen)
        self._switch = switch

    def delegate(self) -> Delegation:
        """Sign on, allow, and exchange."""
        signed_on = self.app.sign_on(ALEX, READ_BALANCE)
        subject = signed_on.subject_token()
        return Delegation(signed_on, subject, self.agent.delegation_token(subject, READ_BALANCE))

    def switch(self, transition: str) -> None:
        """Suspend or resume the agent."""
        assert self._switch.stdin
        assert self._switch.stderr
        self._switch.stdin.write(f"{transition}\n")
        self._switch.stdin.flush()
        assert self._switch.stderr.readline() == "done\n"

    def ending(self, path: str, delegation: Delegation) -> Callable[[], object]:
        """Return what ends a delegation by this path."""
        deployment, http = self.app.deployment, self.http
        if path == "token revoked":
            form = {"token": delegation.subject, **self.app.authentication()}
            return lambda: http.post(deployment.revocation_endpoint, data=form).raise_for_status()
        if path == "permission withdrawn":
            own = {"Authorization": f"Bearer {delegation.signed_on.issuer_token()}"}
            [grant] = http.get(deployment.grants_endpoint, headers=own).json()["grants"]
            grant_url = f"{deployment.grants_endpoint}/{grant['grant_id']}"
            return lambda: http.delete(grant_url, headers=own).raise_for_status()
        if path == "signed out":
            hint = {"id_token_hint": delegation.signed_on.id_token}
            return lambda: http.get(deployment.end_session_endpoint, params=hint).raise_for_status()
        return lambda: self.switch("suspend")

    def measure(self, path: str) -> list[float]:
        """Return after how many seconds the gateway and the account API refuse the token."""
        delegation = self.delegate()
        doors = (self.stack.deployment.gateway, self.stack.deployment.account_api)
        headers = {"Authorization": f"Bearer {delegation.token}"}

        def refused_after(url: str, began: float) -> float:
            while (status := self.http.get(f"{url}/accounts", headers=headers).status_code) == 200:
                assert time.perf_counter() - began < 30, "still served after 30 s"
            assert status == 401, status
            return time.perf_counter() - began

        for url in doors:
            assert self.http.get(f"{url}/accounts", headers=headers).status_code == 200
        end = self.ending(path, delegation)
        with ThreadPoolExecutor(2) as pool:
            began = time.perf_counter()
            waiting = [pool.submit(refused_after, url, began) for url in doors]
            end()
            seconds = [one.result() for one in waiting]
        if path == "agent suspended":
            self.switch("resume")
        return seconds


@contextmanager
def bench() -> Iterator[Bench]:
    """Start a stack with its live tokens."""
    with ExitStack() as ending:
        stack = ending.enter_context(own_stack())
        http = ending.enter_context(httpx2.Client(timeout=20))
        stack.run_python("auth_server", _ISSUE, str(LIVE_TOKENS))
        command, environment = stack.python_beside("auth_server", _SWITCH)
        pipe = subprocess.PIPE
        switch = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True
        )
        ending.callback(switch.wait)
        assert switch.stdin
        ending.callback(switch.stdin.close)
        yield Bench(stack, http, switch)


def main() -> None:
    """Measure, and print the table."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.revocation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    table = Table("what ends it", "trials", "median", "p99", "longest")
    everything: list[float] = []
    with bench() as one:
        for path, trials in TRIALS.items():
            found = [
                seconds for _ in track(range(trials), path, transient=True) for seconds in one.measure(path)
            ]
            everything += found
            table.add_row(path, str(trials), *_figures(found))
    table.add_row("all", str(sum(TRIALS.values())), *_figures(everything))
    Console().print(table)


def _figures(seconds: list[float]) -> tuple[str, str, str]:
    figures = (statistics.median(seconds), statistics.quantiles(seconds, n=100)[98], max(seconds))
    median, p99, longest = (f"{1000 * one:.0f} ms" for one in figures)
    return median, p99, longest


if __name__ == "__main__":
    main()
