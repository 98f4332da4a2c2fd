"""`python -m auth_server agents …`: the registry's command line, beside the running server."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from auth_server.agent_details import RegistryError, details
from auth_server.agent_history import by, history
from auth_server.agent_registry import agent, all_agents, change_state, edit, register, rotate_keys
from auth_server.agent_tables import RegisteredAgent
from auth_server.agents_arguments import changes, given_details
from auth_server.agents_shown import agent_as_json, agent_as_table, list_as_json, list_as_table
from auth_server.settings import Settings
from delegation.clock import utc_now
from delegation.database import open_database


class NoRegistry(Exception):
    """There is no registry where the settings say."""


def run_agents(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked; returns the exit status: 0 done, 1 no registry, 2 it was wrong to ask."""
    try:
        with _registry(settings) as db:
            answer = _answer(arguments, settings, db)
    except RegistryError as error:
        sys.stderr.write(f"agents {arguments.action}: {error}\n")
        return 2
    except NoRegistry as error:
        sys.stderr.write(f"agents {arguments.action}: {error}\n")
        return 1
    except SQLAlchemyError as error:
        # The driver's text may hold values; its kind is enough to look further.
        sys.stderr.write(
            f"agents {arguments.action}: nothing was changed: the database does not answer "
            f"({type(error).__name__}); check DATABASE_URL and DATA_DIR, and try again\n"
        )
        return 1
    sys.stdout.write(f"{answer}\n")
    return 0


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


@contextmanager
def _registry(settings: Settings) -> Iterator[Session]:
    """Open the registry in one transaction. Its records are rows alone: standard output is the command's."""
    file = settings.data_dir / "auth_server.db"
    if not settings.database_url and not file.exists():
        raise NoRegistry(f"there is no {file}: check DATA_DIR, and start the server once")
    engine = open_database(settings.database_url, file)
    try:
        if not inspect(engine).has_table(RegisteredAgent.__tablename__):
            raise NoRegistry("this database has no registry yet: start the server once, and it is made")
        with Session(engine, expire_on_commit=False) as db, db.begin():
            yield db
    finally:
        engine.dispose()
