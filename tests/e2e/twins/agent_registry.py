"""Twins whose registry says that an agent is suspended, and little comes of it."""

from contextlib import AbstractContextManager
from unittest.mock import patch

from sqlalchemy.orm import Session

import auth_server.agent_registry
import auth_server.authorization_server
from auth_server.clients import Agent
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin


@twin("LC-76", "refuses a suspended agent, and lets its tokens run out")
def lets_a_suspended_agents_tokens_run_out(_stack: InProcess) -> AbstractContextManager[object]:
    """Revoke nothing."""
    return patch.object(auth_server.agent_registry, "revoke_agent", lambda *_: None)


@twin("LC-76", "ends what a suspended agent holds, and goes on to authenticate it")
def authenticates_suspended_agents(_stack: InProcess) -> AbstractContextManager[object]:
    """Ask for the key alone: the next token is good again."""

    def hold(_db: Session, agent: Agent) -> Agent:
        return agent

    return patch.object(auth_server.authorization_server, "hold_active", hold)
