"""Envoy, judged: `python -m docs.conformance.envoy.start`."""

from pathlib import Path

from docs.conformance.foreign import judge, serving, virtual_environment

FOLDER = Path(__file__).parent
PORT, KEYLESS_PORT = 9810, 9811
ISSUER_PORT, NOBODYS_PORT = 9812, 9


def main() -> int:
    """Install and start Envoy, run the suite against it, end it."""
    envoy = virtual_environment(FOLDER) / "envoy"
    command: list[str | Path] = [envoy, "--use-dynamic-base-id", "--log-level", "warning", "--config-path"]
    with (
        serving([*command, "envoy.yaml"], FOLDER, PORT),
        serving([*command, _keyless()], FOLDER, KEYLESS_PORT),
    ):
        return judge(FOLDER)


def _keyless() -> Path:
    """Write the same configuration for a second instance, which cannot reach the issuer's keys."""
    text = (FOLDER / "envoy.yaml").read_text()
    for port, other in ((PORT, KEYLESS_PORT), (ISSUER_PORT, NOBODYS_PORT)):
        text = text.replace(str(port), str(other))
    keyless = FOLDER / "data" / "keyless.yaml"
    keyless.write_text(text)
    return keyless


if __name__ == "__main__":
    raise SystemExit(main())
