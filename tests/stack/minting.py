"""Tokens minted beside the running authorization server: `python -m tests.stack.minting`.

A line of JSON in, a token out.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e import jws
from tests.e2e.minting import MintingProgram
from tests.stack.choosing import chosen_stack
from tests.stack.stack import Stack

_MINT: Final = """
import sys
from auth_server.settings import Settings
from auth_server.signing_keys import SigningKeys
from auth_server.tables import IssuedToken
from datetime import timedelta
from delegation.clock import utc_now
from delegation.database import open_database
from sqlalchemy.orm import Session

settings = Settings()
database = open_database(settings.database_url, settings.data_dir / "auth_server.db")
keys = SigningKeys(settings.data_dir / "keys")
for line in sys.stdin:
    wish = json.loads(line)
    claims, end = wish["claims"], utc_now() + timedelta(hours=1)
    if isinstance(claims.get("jti"), str) and isinstance(claims.get("sub"), str):
        with Session(database) as db, db.begin():
            db.add(IssuedToken(jti=claims["jti"], sub=claims["sub"], client_id="minted", expires_at=end))
    print(KeyPair(keys.current().private_key).sign(wish["header"], claims), flush=True)
"""
"""Signs as the authorization server does, and has it know the token as issued. Needs the text of `jws`."""


def minting_command(stack: Stack) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the command, and its environment, that mints beside the stack's authorization server."""
    return stack.python_beside("auth_server", Path(jws.__file__).read_text() + _MINT)


@contextmanager
def minting_beside(stack: Stack) -> Iterator[MintingProgram]:
    """Give the program that mints."""
    program = MintingProgram(*minting_command(stack))
    try:
        yield program
    finally:
        program.close()


def main() -> int:
    """Mint for standard input, beside the stack that STACK names; returns the exit status."""
    with chosen_stack() as stack:
        command, environment = minting_command(stack)
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
