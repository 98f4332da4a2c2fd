"""The account API's command line: `python -m account_api audit`, and `tools`."""

import argparse
import json
import sys
from collections.abc import Sequence

import httpx2
from pydantic import ValidationError
from sqlalchemy import Engine

from account_api.app import DATABASE_FILE
from account_api.books import books
from account_api.mcp_tools import definitions
from account_api.settings import Settings
from delegation.audit_command import Audited, run_audit
from delegation.audit_parser import add_audit_parser
from delegation.clock import utc_now
from delegation.record_retention import Books
from delegation.signing_key import SigningKey


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m account_api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_audit_parser(commands)
    commands.add_parser("tools", help="print the definitions of the MCP tools, for whoever pins them")
    parsed = parser.parse_args(arguments)
    if parsed.command == "tools":
        sys.stdout.write(json.dumps({"tools": definitions()}, indent=2, sort_keys=True) + "\n")
        return 0
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
