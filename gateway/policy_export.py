"""`python -m gateway policy export`: the policy for who runs another gateway."""

import argparse
import re
import sys
from pathlib import Path

import yaml

from gateway.envoy import envoy_configuration
from gateway.policy_file import read_policy
from gateway.settings import Settings

_HEAD = """\
# Written by `python -m gateway policy export --format envoy`, policy {version}.
# Change the policy or the settings, and write it anew.
"""


def add_export_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export`, which sets `run`."""
    export = commands.add_parser("export", help="write the configuration of another gateway")
    export.add_argument("--format", required=True, choices=["envoy"])
    export.add_argument("--policy", type=Path, help="default: POLICY_FILE")
    export.add_argument("--listen", type=_address, default="127.0.0.1:8503", help="default: %(default)s")
    export.add_argument(
        "--decision-service",
        type=_origin,
        default="http://127.0.0.1:8513",
        help="where `gateway.app:create_decision_service` is; default: %(default)s",
    )
    export.add_argument(
        "--actor-header", type=_field, help="a header in which the resource is told who acts; default: none"
    )
    export.set_defaults(run=_export)


def _export(parsed: argparse.Namespace) -> int:
    settings = Settings()
    policy = read_policy(parsed.policy or settings.policy_file)
    configuration = envoy_configuration(
        policy, settings, parsed.listen, parsed.decision_service, parsed.actor_header
    )
    text = yaml.dump(configuration, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    sys.stdout.write(_HEAD.format(version=policy.version) + text)
    return 0


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as lines, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Write everything out."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError("must be like 0.0.0.0:8503")
    return host.strip("[]"), int(port)


def _origin(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+", text):
        raise argparse.ArgumentTypeError("must be like http://127.0.0.1:8513, without a path")
    return text


def _field(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", text):
        raise argparse.ArgumentTypeError("must be the name of a header")
    return text.lower()
