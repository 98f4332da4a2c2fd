"""Killed at any moment of a revocation, a service never takes the revoked token again.

Issue 4. SIGKILL meets revocations that are under way, early and late among a dozen of them.
"""

import httpx2
import pytest

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.doors import Doors
from tests.stack.killing import Parties
from tests.stack.stack import Stack


@pytest.mark.parametrize("moment", [0, 6])
@pytest.mark.parametrize("killed", ["gateway", "account_api", "auth_server"])
def test_no_revoked_token_is_taken_again_after_a_kill(
    killed: str, moment: int, stoppable_stack: Stack, app: BankingApp, agent: Agent, http: httpx2.Client
) -> None:
    everywhere = [Doors(stoppable_stack.deployment, http)]
    Parties(app, agent, everywhere).kill_amid_revocations(stoppable_stack, killed, moment)
