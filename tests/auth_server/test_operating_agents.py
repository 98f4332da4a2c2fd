"""What docs/operating-agents.md tells operators to do, done as it stands there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auth_server.administration import StaffMember, staff_member
from tests.auth_server.registry import Command
from tests.auth_server.servers import AGENT, PASSWORD, AuthServer, running_server
from tests.clock import SetClock
from tests.jwks_server import JwksServer

PAGE = (Path(__file__).parents[2] / "docs" / "operating-agents.md").read_text()
COMMANDS = re.findall(r"^    python -m auth_server (staff|customers) (.+)$", PAGE, re.MULTILINE)
REQUESTS = re.findall(r"curl -X (\w+) \"?http://localhost:8502(/[^\s\"]+)\"? .*?-d '(.*?)'", PAGE, re.DOTALL)


@pytest.fixture
def server(tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer) -> Iterator[AuthServer]:
    """A server with the demo's people, as the page has them."""
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), demo_password="bank-demo") as running:
        yield running


def test_the_pages_commands_work_in_their_order(server: AuthServer) -> None:
    assert len(COMMANDS) == 6
    for name, rest in COMMANDS:
        arguments = shlex.split(rest)
        password = ["--password-file", "-"] if arguments[0] in {"add", "set-password"} else []
        shown = Command(server, name)(*arguments, *password, text=PASSWORD)
        assert shown["sub"] == arguments[1]


def test_the_pages_requests_work_in_their_order(server: AuthServer) -> None:
    assert len(REQUESTS) == 4
    administrator: StaffMember = staff_member(server, "administrator")
    name, rest = COMMANDS[0]
    Command(server, name)(*shlex.split(rest), "--password-file", "-", text=PASSWORD)
    for method, address, sent in REQUESTS:
        path, _, agent = address.partition("?agent_id=")
        parameters = {"agent_id": AGENT} if agent == "$AGENT" else {}
        administrator.done(method, path, json.loads(sent), **parameters)
    shown = administrator.get("/admin/agent", agent_id=AGENT)
    assert (shown["owner_sub"], shown["state"]) == ("robin@example.com", "suspended")
