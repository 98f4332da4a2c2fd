"""express-oauth2-jwt-bearer, judged: `python -m docs.conformance.express.start`."""

from pathlib import Path

from docs.conformance.foreign import judge, node_modules, serving

FOLDER = Path(__file__).parent
PORT, KEYLESS_PORT = 9840, 9841
ISSUER, NOBODY = "http://127.0.0.1:9842/jwks", "http://127.0.0.1:9/jwks"


def main() -> int:
    """Install and start the gateway, and one that cannot reach its issuer; run the suite; end them."""
    node_modules(FOLDER)
    command = ["node", "server.js"]
    with (
        serving(command, FOLDER, PORT, _environment(PORT, ISSUER)),
        serving(command, FOLDER, KEYLESS_PORT, _environment(KEYLESS_PORT, NOBODY)),
    ):
        return judge(FOLDER)


def _environment(port: int, jwks_uri: str) -> dict[str, str]:
    return {"NODE_ENV": "production", "PORT": str(port), "JWKS_URI": jwks_uri}


if __name__ == "__main__":
    raise SystemExit(main())
