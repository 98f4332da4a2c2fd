"""The gateway's command line: `python -m gateway policy …`, `… tools …` and `… audit …`."""

import argparse
import sys
from collections.abc import Sequence

import httpx2
from pydantic import ValidationError
from sqlalchemy import Engine

from delegation.audit_command import Audited, run_audit
from delegation.audit_parser import add_audit_parser
from delegation.clock import utc_now
from delegation.record_retention import Books
from delegation.signing_key import SigningKey
from gateway.books import books
from gateway.policy_commands import add_policy_parser, run_policy
from gateway.settings import DATABASE_FILE, Settings
from gateway.tool_commands import add_tools_parser, run_tools


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_policy_parser(commands)
    add_tools_parser(commands)
    add_audit_parser(commands)
    parsed = parser.parse_args(arguments)
    if parsed.command == "policy":
        return run_policy(parsed)
    if parsed.command == "tools":
        return run_tools(parsed)
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run_audit(parsed, audited(settings))


def audited(settings: Settings) -> Audited:
    """Return the records that the settings lead to."""

    def kept(engine: Engine, http: httpx2.AsyncClient) -> Books:
        key = SigningKey.load_or_create(settings.data_dir / "signing_key.pem")
        return books(settings, engine.begin, key, http, utc_now)

    return Audited(
        database_url=settings.database_url.get_secret_value(),
        sqlite_file=settings.data_dir / DATABASE_FILE,
        books=kept,
        own_keys=lambda: settings.jwks_uri,
        checkpoint_seconds=settings.checkpoint_seconds,
    )


if __name__ == "__main__":
    raise SystemExit(main())
