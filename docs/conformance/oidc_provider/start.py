"""oidc-provider, judged: `python -m docs.conformance.oidc_provider.start`."""

from pathlib import Path

from docs.conformance.foreign import client_keys, judge, node_modules, serving

FOLDER = Path(__file__).parent
PORT = 9820


def main() -> int:
    """Install and start oidc-provider, run the suite against it, end it."""
    node_modules(FOLDER)
    private, public = client_keys("AGENT", "OTHER_AGENT", "APP")
    settings = {"PORT": str(PORT), "REDIRECT_URI": "http://127.0.0.1:9821/callback"}
    with serving(["node", "server.js"], FOLDER, PORT, public | settings):
        return judge(FOLDER, private | {"CUSTOMER_PASSWORD": "any password will do"})


if __name__ == "__main__":
    raise SystemExit(main())
