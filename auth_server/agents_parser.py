"""The options of `python -m auth_server agents …`, and what they say."""

import argparse
import os
import pwd
from typing import Any, Final

from auth_server.agent_details import MAX_SECONDS
from auth_server.agents_arguments import keys, scope

_STATES: Final = {
    "suspend": "stop an active agent: no tokens, no exchange, and what it holds ends for good",
    "resume": "let a draft begin, or a suspended agent go on",
    "retire": "end an agent for ever",
}


def add_agents_parser(commands: Any) -> None:
    """Add `agents` and its own commands to the command line."""
    agents = commands.add_parser(
        "agents",
        help="the registry of agents: list, show, register, edit, suspend, resume, retire, rotate-keys",
        description="Works beside the running server, with its DATA_DIR or DATABASE_URL; a change counts "
        "from the next request on. Exit status: 0 done, 1 the registry cannot be had, 2 wrong input.",
    )
    every = agents.add_subparsers(dest="action", required=True, metavar="COMMAND")
    add_command(every, "list", "list every agent")
    add_command(every, "show", "show one agent, its keys, permissions and history", takes_id=True)
    register = add_command(every, "register", "register an agent; it is active at once unless a --draft")
    register.add_argument(
        "--id", dest="agent_id", required=True, metavar="URL", help="its identifier: an https URL"
    )
    _add_details(register, is_new=True)
    register.add_argument("--draft", action="store_true", help="register it without making it active")
    edit = add_command(every, "edit", "change what is registered of an agent", takes_id=True)
    _add_details(edit, is_new=False)
    for name, what in _STATES.items():
        add_who(add_command(every, name, what, takes_id=True), reason_needed=name != "resume")
    rotate = add_command(
        every, "rotate-keys", "add an uploaded public key, remove one, or both", takes_id=True
    )
    rotate.add_argument(
        "--add", metavar="FILE", type=keys, help="a public JWK or JWK set; - reads standard input"
    )
    rotate.add_argument("--remove", metavar="KID", help="the kid of the key that is refused from now on")
    add_who(rotate, reason_needed=False)


def add_command(every: Any, name: str, what: str, *, takes_id: bool = False) -> argparse.ArgumentParser:
    """Add one command, which can print JSON; with `takes_id` it is about one agent."""
    parser: argparse.ArgumentParser = every.add_parser(name, help=what, description=f"{what.capitalize()}.")
    if takes_id:
        parser.add_argument("agent_id", metavar="ID", help="the agent's identifier")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON and no table")
    return parser


def _add_details(parser: argparse.ArgumentParser, *, is_new: bool) -> None:
    parser.add_argument("--name", required=is_new, help="what customers call it")
    parser.add_argument("--purpose", required=is_new, help="what it is for, in a sentence")
    parser.add_argument("--owner", required=is_new, help="who answers for it, in words that customers read")
    parser.add_argument("--owner-sub", metavar="SUB", help="the member of staff who answers for it")
    source = parser.add_mutually_exclusive_group(required=is_new)
    source.add_argument("--jwks-uri", metavar="URL", help="where its public keys are fetched")
    source.add_argument(
        "--jwks", metavar="FILE", type=keys, help="its public keys, a JWK or JWK set; - reads standard input"
    )
    parser.add_argument(
        "--scope",
        action="append",
        required=is_new,
        type=scope,
        metavar="AUDIENCE=SCOPE",
        help="what may be delegated to it there; may be repeated, and name several: 'AUDIENCE=ONE TWO'",
    )
    parser.add_argument(
        "--max-seconds", type=int, metavar="N", help=f"the longest life of its tokens, {MAX_SECONDS} at most"
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--max-transfer-minor",
        type=int,
        metavar="N",
        help="the largest transfer that it may ask for, in minor units; no limit of its own if not said",
    )
    whom = parser.add_mutually_exclusive_group()
    whom.add_argument(
        "--customer",
        action="append",
        metavar="SUB",
        help="may act for this customer; may be repeated, and go with --group; for all customers if neither "
        "is said",
    )
    parser.add_argument(
        "--group",
        action="append",
        metavar="NAME",
        help="may act for the customers in this group (see customers groups); may be repeated",
    )
    if not is_new:
        whom.add_argument("--any-customer", action="store_true", help="may act for all customers again")
        amount.add_argument("--any-amount", action="store_true", help="no largest transfer of its own again")
    add_who(parser, reason_needed=False)


def add_who(parser: argparse.ArgumentParser, *, reason_needed: bool) -> None:
    """Add who decides and why."""
    parser.add_argument(
        "--reason", required=reason_needed, default="", help="why, for the history and the record"
    )
    parser.add_argument(
        "--by", default=_system_user(), metavar="NAME", help="who decided; this system's user if not said"
    )


def _system_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need have no name
        return f"uid {os.getuid()}"
