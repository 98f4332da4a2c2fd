"""The gateway's command line: `python -m gateway policy check [FILE]` and `python -m gateway audit`.

The first tells whether a policy is sound, for editors and pipelines.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx2
from pydantic import ValidationError
from sqlalchemy import Engine

from delegation.audit_command import Audited, run_audit
from delegation.audit_parser import add_audit_parser
from delegation.clock import utc_now
from delegation.record_retention import Books
from delegation.signing_key import SigningKey
from gateway.app import DATABASE_FILE
from gateway.books import books
from gateway.policy_file import UnsoundPolicy, read_policy
from gateway.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    policy = commands.add_parser("policy", help="check a policy").add_subparsers(required=True)
    check = policy.add_parser("check", help="tell what is wrong with a policy file, each fault with its line")
    check.add_argument("file", nargs="?", type=Path, help="default: POLICY_FILE")
    add_audit_parser(commands)
    parsed = parser.parse_args(arguments)
    if parsed.command == "policy":
        return _check_policy(parsed.file)
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


def _check_policy(file: Path | None) -> int:
    path = file or Settings().policy_file
    try:
        sound = read_policy(path)
    except UnsoundPolicy as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}: sound, {len(sound.operations)} operations\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
