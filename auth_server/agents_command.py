"""`python -m auth_server agents …`: the registry's command line, beside the running server."""

import argparse

from sqlalchemy.orm import Session

from auth_server.agent_details import details
from auth_server.agent_history import by, history
from auth_server.agent_registry import agent, all_agents, change_state, edit, register, rotate_keys
from auth_server.agent_tables import RegisteredAgent
from auth_server.agents_arguments import changes, given_details
from auth_server.agents_shown import agent_as_json, agent_as_table, list_as_json, list_as_table
from auth_server.command_run import run
from auth_server.settings import Settings
from delegation.clock import utc_now


def run_agents(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked; returns the exit status of `command_run.run`."""
    return run(f"agents {arguments.action}", settings, lambda db: _answer(arguments, settings, db))


def _answer(arguments: argparse.Namespace, settings: Settings, db: Session) -> str:
    if arguments.action == "list":
        agents = all_agents(db)
        return list_as_json(agents) if arguments.as_json else list_as_table(agents)
    row = agent(db, arguments.agent_id) if arguments.action == "show" else _changed(arguments, settings, db)
    db.flush()
    entries = history(db, row.agent_id)
    return agent_as_json(row, entries) if arguments.as_json else agent_as_table(row, entries)


def _changed(arguments: argparse.Namespace, settings: Settings, db: Session) -> RegisteredAgent:
    needs_reason = arguments.action in {"suspend", "retire"}
    who = by(arguments.by, arguments.reason, utc_now(), needs_reason=needs_reason)
    match arguments.action:
        case "register":
            new = details(agent_id=arguments.agent_id, **given_details(arguments))
            return register(db, new, who, taken=settings.other_parties, draft=arguments.draft)
        case "edit":
            return edit(db, arguments.agent_id, changes(arguments), who)
        case "rotate-keys":
            return rotate_keys(db, arguments.agent_id, arguments.add or [], arguments.remove, who)
    return change_state(db, arguments.agent_id, arguments.action, who)
