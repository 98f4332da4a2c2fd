"""`python -m auth_server staff …` and `… customers …`: people's command line, beside the running server."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth_server.administration_shown import person_shown
from auth_server.agent_details import RegistryError
from auth_server.agent_history import By, by
from auth_server.agents_shown import table
from auth_server.command_run import run
from auth_server.customer_groups import set_groups
from auth_server.disabling import (
    disable_customer,
    disable_staff,
    enable_customer,
    enable_staff,
    set_password,
)
from auth_server.passwords import Passwords
from auth_server.people import Person
from auth_server.people_parser import password
from auth_server.settings import Settings
from auth_server.staff import add_staff, change_role, check_password
from auth_server.tables import Customer, Staff
from delegation.clock import utc_now


def run_people(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked; returns the exit status of `command_run.run`."""
    command = f"{arguments.command} {arguments.action}"
    try:
        # Asked for before the transaction begins: whoever types is slow, and the server waits for it.
        password_hash = _password_hash(arguments) if "password_file" in arguments else ""
    except RegistryError as error:
        sys.stderr.write(f"{command}: {error}\n")
        return 2

    def shown(db: Session) -> str:
        staff = arguments.command == "staff"
        people = _staff(arguments, db, password_hash) if staff else _customers(arguments, db, password_hash)
        rows = [person_shown(person) for person in people]
        if not arguments.as_json:
            return _as_table(rows)
        return json.dumps(rows if arguments.action == "list" else rows[0], indent=2)

    return run(command, settings, shown)


def _staff(arguments: argparse.Namespace, db: Session, password_hash: str) -> Sequence[Person]:
    if arguments.action == "list":
        return db.scalars(select(Staff).order_by(Staff.sub)).all()
    who, sub = _by(arguments), arguments.sub
    match arguments.action:
        case "add":
            return [add_staff(db, sub, arguments.name, arguments.role, password_hash, who)]
        case "role":
            return [change_role(db, sub, arguments.role, who)]
        case "set-password":
            return [set_password(db, Staff, sub, password_hash, who)]
        case "disable":
            return [disable_staff(db, sub, who)]
    return [enable_staff(db, sub, who)]


def _customers(arguments: argparse.Namespace, db: Session, password_hash: str) -> Sequence[Person]:
    if arguments.action == "list":
        return db.scalars(select(Customer).order_by(Customer.sub)).all()
    if arguments.action == "groups":
        return [set_groups(db, arguments.sub, arguments.group or [], _by(arguments))]
    if arguments.action == "set-password":
        return [set_password(db, Customer, arguments.sub, password_hash, _by(arguments))]
    change = disable_customer if arguments.action == "disable" else enable_customer
    return [change(db, arguments.sub, _by(arguments))]


def _by(arguments: argparse.Namespace) -> By:
    return by(arguments.by, arguments.reason, utc_now(), needs_reason=arguments.action == "disable")


def _password_hash(arguments: argparse.Namespace) -> str:
    try:
        given = password(arguments.password_file)
    except (OSError, ValueError, EOFError) as error:
        raise RegistryError(f"the password cannot be read: {type(error).__name__}") from error
    return Passwords().hash(check_password(given))


def _as_table(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "nobody"
    heads = [name for name in rows[0] if name != "disabled_at"]
    lines = [[*(_cell(row[name]) for name in heads), row["disabled_at"] or "no"] for row in rows]
    return table([[name.upper() for name in heads] + ["DISABLED"], *lines])


def _cell(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "-"
