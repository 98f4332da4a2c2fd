"""The options of `python -m auth_server staff …` and `… customers …`, and what they say."""

import argparse
import sys
from getpass import getpass
from pathlib import Path
from typing import Any, Final

from auth_server.agent_details import RegistryError
from auth_server.agents_parser import add_command, add_who
from auth_server.scopes import ROLES

_RUNS: Final = (
    "Works beside the running server, with its DATA_DIR or DATABASE_URL; a change counts "
    "from the next request on. Exit status: 0 done, 1 the registry cannot be had, 2 wrong input."
)


def add_staff_parser(commands: Any) -> None:
    """Add `staff` and its own commands to the command line."""
    staff = commands.add_parser(
        "staff",
        help="the people who look after agents: list, add, role, set-password, disable, enable",
        description=f"{_RUNS} Roles are given here and nowhere else.",
    )
    every = staff.add_subparsers(dest="action", required=True, metavar="COMMAND")
    add_command(every, "list", "list every member of staff")
    add = _on_one(every, "add", "add a member of staff, who can sign on at once")
    add.add_argument("--name", required=True, help="the person's name")
    add.add_argument("--role", required=True, choices=list(ROLES), help="what they may do")
    _add_password_file(add)
    add_who(add, reason_needed=False)
    role = _on_one(every, "role", "give a member of staff another role")
    role.add_argument("role", choices=list(ROLES), help="what they may do from now on")
    add_who(role, reason_needed=False)
    _add_set_password(every, "member of staff")
    _add_disable_and_enable(every, "member of staff")


def add_customers_parser(commands: Any) -> None:
    """Add `customers` and its own commands to the command line."""
    customers = commands.add_parser(
        "customers", help="the customers: list, set-password, groups, disable, enable", description=_RUNS
    )
    every = customers.add_subparsers(dest="action", required=True, metavar="COMMAND")
    add_command(every, "list", "list every customer")
    what = "put a customer into the groups named and no others; agents may be limited to groups"
    groups = _on_one(every, "groups", what)
    which = groups.add_mutually_exclusive_group(required=True)
    which.add_argument("--group", action="append", metavar="NAME", help="one of them; may be repeated")
    which.add_argument("--no-group", action="store_true", help="into none")
    add_who(groups, reason_needed=False)
    _add_set_password(every, "customer")
    _add_disable_and_enable(every, "customer")


def password(file: str | None) -> str:
    """Return the password from a file's first line, or from standard input for `-`.

    If no file is named: asked for twice at a terminal, which does not show it; else from standard input. It
    is never an argument: those are seen in the list of processes, and kept in the shell's history.

    Raises:
        OSError: the file cannot be read.
        EOFError: nobody answered.
        ValueError: it is no text.
        RegistryError: what was typed the second time is another password.
    """
    if file is None and sys.stdin.isatty():
        typed = getpass("Password: ")
        if getpass("The same again: ") != typed:
            raise RegistryError("the two passwords are not the same; nothing was changed")
        return typed
    lines = (sys.stdin.read() if file in {None, "-"} else Path(str(file)).read_text()).splitlines()
    return lines[0] if lines else ""


def _add_set_password(every: Any, whom: str) -> None:
    what = f"give a {whom} another password, and end their sessions and tokens at once"
    change = _on_one(every, "set-password", what)
    _add_password_file(change)
    add_who(change, reason_needed=False)


def _add_password_file(parser: argparse.ArgumentParser) -> None:
    """Add where the password comes from."""
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="holds the password, on one line; - reads standard input; if not said it is asked for, "
        "or read from standard input where that is no terminal",
    )


def _add_disable_and_enable(every: Any, whom: str) -> None:
    disable = f"end a {whom}'s sessions and tokens at once, and let them sign on no more"
    add_who(_on_one(every, "disable", disable), reason_needed=True)
    add_who(_on_one(every, "enable", f"let a disabled {whom} sign on again"), reason_needed=False)


def _on_one(every: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser = add_command(every, name, what)
    parser.add_argument("sub", metavar="SUB", help="the name that the person signs on with")
    return parser
