"""How a command beside the running server runs: one transaction, what it says, its exit status."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from auth_server.agent_details import RegistryError
from auth_server.settings import Settings
from auth_server.tables import Base
from delegation.database import open_database


class NoRegistry(Exception):
    """There is no registry where the settings say."""


def run(command: str, settings: Settings, answer: Callable[[Session], str]) -> int:
    """Do what was asked, and print the answer; returns the exit status.

    That is 0 when it is done, 1 when the registry cannot be had, 2 when it was wrong to ask.
    """
    try:
        with _registry(settings) as db:
            said = answer(db)
    except RegistryError as error:
        sys.stderr.write(f"{command}: {error}\n")
        return 2
    except NoRegistry as error:
        sys.stderr.write(f"{command}: {error}\n")
        return 1
    except SQLAlchemyError as error:
        # The driver's text may hold values; its kind is enough to look further.
        sys.stderr.write(
            f"{command}: nothing was changed: the database does not answer "
            f"({type(error).__name__}); check DATABASE_URL and DATA_DIR, and try again\n"
        )
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


@contextmanager
def _registry(settings: Settings) -> Iterator[Session]:
    """Open the registry in one transaction. Its records are rows alone: standard output is the command's."""
    file = settings.data_dir / "auth_server.db"
    if not settings.database_url and not file.exists():
        raise NoRegistry(f"there is no {file}: check DATA_DIR, and start the server once")
    engine = open_database(settings.database_url, file)
    try:
        if not Base.metadata.tables.keys() <= set(inspect(engine).get_table_names()):
            raise NoRegistry("this database is empty or an earlier version's: start the server once")
        with Session(engine, expire_on_commit=False) as db, db.begin():
            yield db
    finally:
        engine.dispose()
