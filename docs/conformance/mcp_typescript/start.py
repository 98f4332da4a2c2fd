"""The official clients for TypeScript, at our gateway: `python -m docs.conformance.mcp_typescript.start`."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from docs.conformance.foreign import node_modules
from tests.e2e.in_process import in_process

FOLDER = Path(__file__).parent
EVERY_SCOPE = "account:read_balance account:read_transactions account:transfer"


def main() -> int:
    """Start the stack in this process, run the clients against it, end it."""
    node_modules(FOLDER)
    with contextlib.redirect_stdout(sys.stderr), in_process() as bank, bank.target() as target:
        environment = {
            "GATEWAY_URL": bank.environment["GATEWAY_URL"],
            "ISSUER": bank.environment["AUTH_SERVER_URL"],
            "TOKEN": target.resource.token(EVERY_SCOPE),
            "NARROW_TOKEN": target.resource.token("account:read_balance"),
        }
        node = subprocess.run(
            ["node", "clients.js"],
            cwd=FOLDER,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    sys.stdout.write(node.stdout)
    if node.returncode == 0:
        (FOLDER / "report").mkdir(exist_ok=True)
        (FOLDER / "report" / "clients.txt").write_text(node.stdout)
    return node.returncode


if __name__ == "__main__":
    raise SystemExit(main())
