"""deploy/envoy is what its README says: its configuration is the one that the packaged policy gives now."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "envoy"


def test_the_configuration_is_what_the_command_in_the_readme_writes_now() -> None:
    [command] = re.findall(r"```sh\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    command, _, file = command.strip().partition(" > ")
    environment = {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    written = subprocess.run(
        ["sh", "-c", command], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert written.stdout == (REPOSITORY / file).read_text(), (
        "write it anew: the policy or the export has changed"
    )


def test_the_decision_service_is_the_gateways_image_with_its_settings_and_another_application() -> None:
    """So that compose.yaml says the rest; and it is not published, nor in a network of the agent."""
    own = yaml.load((FOLDER / "compose.yaml").read_text(), _Compose)["services"]
    dockerfile = (REPOSITORY / "gateway" / "Dockerfile").read_text()
    [entrypoint] = re.findall(r"^ENTRYPOINT (\[.*?\])$", dockerfile.replace("\\\n", ""), re.MULTILINE)
    expected = [one.replace("create_app", "create_decision_service") for one in yaml.safe_load(entrypoint)]
    assert own["gateway"] == {"entrypoint": expected, "ports": [], "networks": ["bank"]}
    assert own["chatbot"]["environment"] == {"GATEWAY_URL": "http://envoy:8503"}


class _Compose(yaml.SafeLoader):
    """Takes Compose's own tags for what they stand before."""


def _sequence(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node)


for tag in ("!reset", "!override"):
    _Compose.add_constructor(tag, _sequence)
