"""Twins whose registry says that an agent is suspended, and little comes of it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest.mock import patch

import auth_server.agent_registry
import auth_server.exchange_call
import auth_server.registered_agents
from auth_server.clients import Agent
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin


@twin("LC-76", "refuses a suspended agent, and lets its tokens run out")
def lets_a_suspended_agents_tokens_run_out(_stack: InProcess) -> AbstractContextManager[object]:
    """Revoke nothing."""
    return patch.object(auth_server.agent_registry, "revoke_agent", lambda *_: None)


@twin("LC-76", "ends what a suspended agent holds, and goes on to authenticate it")
@contextmanager
def authenticates_suspended_agents(_stack: InProcess) -> Iterator[None]:
    """Ask for the key alone: the next token is good again."""

    def check(_agent: Agent, _authenticated: Agent) -> None:
        pass

    with (
        patch.object(auth_server.registered_agents, "check_active", check),
        patch.object(auth_server.exchange_call, "check_active", check),
    ):
        yield
