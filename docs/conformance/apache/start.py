"""Apache with mod_oauth2, judged: `python -m docs.conformance.apache.start`, on Debian 12."""

from pathlib import Path

from docs.conformance.foreign import debian_packages, judge, serving

FOLDER = Path(__file__).parent
PORT, KEYLESS_PORT = 9850, 9851
ISSUER, NOBODY = "http://127.0.0.1:9852/jwks", "http://127.0.0.1:9/jwks"


def main() -> int:
    """Unpack and start Apache, and one that cannot reach its issuer; run the suite; end them."""
    root = debian_packages(FOLDER)
    command: list[str | Path] = [root / "usr/sbin/apache2", "-DFOREGROUND", "-f", FOLDER / "apache.conf"]
    with (
        serving(command, FOLDER, PORT, _environment(root, PORT, ISSUER)),
        serving(command, FOLDER, KEYLESS_PORT, _environment(root, KEYLESS_PORT, NOBODY)),
    ):
        return judge(FOLDER)


def _environment(root: Path, port: int, jwks_uri: str) -> dict[str, str]:
    return {
        "DATA": str(FOLDER / "data"),
        "JWKS_URI": jwks_uri,
        "LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu"),
        "MODULES": str(root / "usr/lib/apache2/modules"),
        "PORT": str(port),
    }


if __name__ == "__main__":
    raise SystemExit(main())
