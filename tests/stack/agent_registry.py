"""The running stack's agent and customers, switched off and on at the command line.

`python -m tests.stack.agent_registry suspend` is for the conformance suite.
"""

import sys

from tests.stack.choosing import chosen_stack
from tests.stack.stack import Stack

_COMMAND_LINE = "from auth_server.__main__ import main; raise SystemExit(main())"


def switch_agent(stack: Stack, transition: str) -> None:
    """Suspend the stack's agent, or let it go on, with the authorization server's own command line."""
    agent, why = stack.deployment.agent_id, "the conformance suite tries it"
    stack.run_python("auth_server", _COMMAND_LINE, "agents", transition, agent, "--reason", why)


def edit_agent(stack: Stack, *changes: str) -> None:
    """Change what is registered of the stack's agent, likewise; `changes` are options of `agents edit`."""
    stack.run_python("auth_server", _COMMAND_LINE, "agents", "edit", stack.deployment.agent_id, *changes)


def switch_customer(stack: Stack, transition: str, customer: str) -> None:
    """Disable or enable a customer, likewise."""
    why = "the test tries it"
    stack.run_python("auth_server", _COMMAND_LINE, "customers", transition, customer, "--reason", why)


if __name__ == "__main__":
    with chosen_stack() as stack:
        switch_agent(stack, sys.argv[1])
