"""Two gateways and two account APIs on one PostgreSQL: what has ended has ended at each of them.

Issue 4. The replicas of a service share its key and its database, as DATA_DIR and DATABASE_URL say.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest

from deploy.local_settings import SERVICES
from deploy.service_process import ServiceProcess
from tests.free_ports import free_ports
from tests.postgres import Postgres, postgres
from tests.stack.agent import Agent
from tests.stack.agent_registry import switch_agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, READ_BALANCE, SAM
from tests.stack.doors import Doors
from tests.stack.killing import Parties
from tests.stack.local_stack import OwnStack
from tests.stack.secrets_seen import SecretsSeen
from tests.stack.waiting import until

__all__ = ["postgres"]
REPLICATED = ("gateway", "account_api")


class ReplicatedStack(OwnStack):
    """The five services on PostgreSQL, and a second gateway and account API beside the first."""

    def __init__(self, port: dict[str, int], data: Path, databases: dict[str, str]) -> None:
        super().__init__(port, data)
        self._databases = databases

    def _environment(self, service: str) -> dict[str, str]:
        database = {"DATABASE_URL": self._databases[service]} if service in self._databases else {}
        return super()._environment(service) | database

    def start_replica(self, service: str, port: int, **changes: str) -> ServiceProcess:
        log = self._log(f"second-{service}")
        replica = ServiceProcess(service, port, self._environment(service) | changes, log)
        until(lambda: replica.unreadiness() is None, f"the second {service} is ready")
        return replica


@dataclass(frozen=True)
class Replicated:
    """The stack, and who holds tokens for its doors and those of the replicas."""

    stack: ReplicatedStack
    parties: Parties


@pytest.fixture(scope="module")
def replicated(postgres: Postgres) -> Iterator[Replicated]:
    numbers = free_ports(len(SERVICES) + len(REPLICATED))
    port, second = (
        dict(zip(SERVICES, numbers, strict=False)),
        dict(zip(REPLICATED, numbers[-2:], strict=True)),
    )
    databases = {service: postgres.new_database() for service in ("auth_server", "account_api")}
    with ExitStack() as ending:
        data = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="delegation-bank-")))
        stack = ReplicatedStack(port, data, databases)
        ending.callback(stack.stop, *SERVICES)
        stack.start(*SERVICES)
        address = {service: f"http://localhost:{number}" for service, number in second.items()}
        for service, changes in (("account_api", {}), ("gateway", {"UPSTREAM_URL": address["account_api"]})):
            replica = stack.start_replica(service, second[service], **changes)
            ending.callback(replica.wait_or_kill, 10)
            ending.callback(replica.terminate)
        seen, http = SecretsSeen({stack.deployment.password}), ending.enter_context(httpx2.Client(timeout=20))
        everywhere = [Doors(stack.deployment, http), Doors(replace(stack.deployment, **address), http)]
        app = BankingApp(stack.deployment, stack.client_key("banking_app"), http, seen)
        agent = Agent(stack.deployment, stack.client_key("chatbot"), http, seen)
        yield Replicated(stack, Parties(app, agent, everywhere))


def test_what_ends_ends_at_every_replica_and_nothing_else_does(replicated: Replicated) -> None:
    stack, app, agent = replicated.stack, replicated.parties.app, replicated.parties.agent
    everywhere = replicated.parties.everywhere
    signed_on, bystander = app.sign_on(ALEX, READ_BALANCE), app.sign_on(SAM, READ_BALANCE)
    subject, other = (
        signed_on.subject_token(),
        agent.delegation_token(bystander.subject_token(), READ_BALANCE),
    )
    token = agent.delegation_token(subject, READ_BALANCE)
    assert all(doors.serve(one) for doors in everywhere for one in (token, other))

    form = {"token": subject, **app.authentication()}
    assert app.http.post(app.deployment.revocation_endpoint, data=form).status_code == 200
    for doors in everywhere:
        doors.expect_ended(token)
        assert doors.serve(other)

    switch_agent(stack, "suspend")
    for doors in everywhere:
        doors.expect_ended(other)
    switch_agent(stack, "resume")
    anew = agent.delegation_token(bystander.subject_token(), READ_BALANCE)
    assert all(doors.serve(anew) for doors in everywhere)
    assert all(doors.refuse(other) for doors in everywhere)


@pytest.mark.parametrize("moment", [3, 8])
@pytest.mark.parametrize("killed", ["gateway", "account_api", "auth_server"])
def test_no_revoked_token_is_taken_again_at_any_replica_after_one_service_is_killed(
    killed: str, moment: int, replicated: Replicated
) -> None:
    replicated.parties.kill_amid_revocations(replicated.stack, killed, moment)
