"""idpyoidc, judged: `python -m docs.conformance.idpyoidc.start`."""

import secrets
from pathlib import Path

from docs.conformance.foreign import client_keys, judge, serving, virtual_environment

FOLDER = Path(__file__).parent
PORT = 9830


def main() -> int:
    """Install and start idpyoidc, run the suite against it, end it."""
    python = virtual_environment(FOLDER) / "python"
    private, public = client_keys("AGENT", "OTHER_AGENT")
    shared = {name: secrets.token_urlsafe(24) for name in ("APP_SECRET", "CUSTOMER_PASSWORD")}
    settings = {"PORT": str(PORT), "REDIRECT_URI": "http://127.0.0.1:9831/callback"}
    with serving([python, "server.py"], FOLDER, PORT, public | shared | settings):
        return judge(FOLDER, private | shared)


if __name__ == "__main__":
    raise SystemExit(main())
