"""The command line: `python -m auth_server rotate-key`, `… agents`, `… staff`, `… customers`, `… audit`."""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from auth_server.agents_command import run_agents
from auth_server.agents_parser import add_agents_parser
from auth_server.books import audited
from auth_server.people_command import run_people
from auth_server.people_parser import add_customers_parser, add_staff_parser
from auth_server.settings import Settings
from auth_server.signing_keys import LONGEST_TOKEN_LIFE, SigningKeys
from delegation.audit_command import run_audit
from delegation.audit_parser import add_audit_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m auth_server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "rotate-key",
        help="make a new signing key; the old one verifies until its last token has expired",
        description="Uses the same DATA_DIR as the server, which takes the new key up without a restart.",
    )
    add_agents_parser(commands)
    add_staff_parser(commands)
    add_customers_parser(commands)
    add_audit_parser(commands)
    parsed = parser.parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    match parsed.command:
        case "agents":
            return run_agents(parsed, settings)
        case "staff" | "customers":
            return run_people(parsed, settings)
        case "audit":
            return run_audit(parsed, audited(settings))
    return _rotate_key(settings)


def _rotate_key(settings: Settings) -> int:
    folder = settings.data_dir / "keys"
    if not any(folder.glob("*.pem")):
        sys.stderr.write(f"there is no key in {folder}: set DATA_DIR to the running server's\n")
        return 2
    key = SigningKeys(folder).rotate()
    minutes = int(LONGEST_TOKEN_LIFE.total_seconds() // 60)
    sys.stdout.write(f"new signing key {key.kid}\nthe previous key verifies for another {minutes} minutes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
