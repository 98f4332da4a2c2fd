"""The authorization server's command line: `python -m auth_server rotate-key`."""

import argparse
import sys

from pydantic import ValidationError

from auth_server.settings import Settings
from auth_server.signing_keys import LONGEST_TOKEN_LIFE, SigningKeys


def main() -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m auth_server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "rotate-key",
        help="make a new signing key; the old one verifies until its last token has expired",
        description="Uses the same DATA_DIR as the server, which takes the new key up without a restart.",
    )
    parser.parse_args()
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if not any((settings.data_dir / "keys").glob("*.pem")):
        sys.stderr.write(
            f"there is no key in {settings.data_dir / 'keys'}: set DATA_DIR to the server's own\n"
        )
        return 2
    key = SigningKeys(settings.data_dir / "keys").rotate()
    minutes = int(LONGEST_TOKEN_LIFE.total_seconds() // 60)
    sys.stdout.write(f"new signing key {key.kid}\nthe previous key verifies for another {minutes} minutes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
