"""What only containers and their networks can promise: who can reach whom, and what a container may do.

Issue 2, point 4, on Compose.
"""

import pytest

from deploy.local_settings import SERVICES
from tests.stack.compose_stack import PORT, PUBLISHED, ComposeStack

CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
    print("connected")
except OSError as error:
    print(f"refused: {error}")
"""


def addresses(compose: ComposeStack, service: str) -> list[str]:
    """Return a service's name, and its IP address on each of its networks."""
    networks = compose.facts(service)["NetworkSettings"]["Networks"].values()
    return [service, *(network["IPAddress"] for network in networks)]


def connect(compose: ComposeStack, caller: str, address: str, service: str) -> str:
    return compose.run_python(caller, CONNECT, address, str(PORT[service])).strip()


def test_the_chatbot_cannot_open_a_connection_to_the_account_api_by_name_or_address(
    compose: ComposeStack,
) -> None:
    tried = {
        address: connect(compose, "chatbot", address, "account_api")
        for address in addresses(compose, "account_api")
    }
    assert len(tried) > 1
    assert {address: answer for address, answer in tried.items() if answer == "connected"} == {}


@pytest.mark.parametrize(("caller", "service"), [("chatbot", "gateway"), ("gateway", "account_api")])
def test_who_shall_reach_whom_can(compose: ComposeStack, caller: str, service: str) -> None:
    assert connect(compose, caller, service, service) == "connected"


def test_only_the_doors_publish_a_port_and_only_to_this_machine(compose: ComposeStack) -> None:
    for service in SERVICES:
        bindings = compose.facts(service)["NetworkSettings"]["Ports"].values()
        hosts = {binding["HostIp"] for published in bindings for binding in published or []}
        assert hosts == ({"127.0.0.1"} if service in PUBLISHED else set()), service


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_runs_as_nobody_special_on_a_read_only_root_and_keeps_data_in_a_volume(
    compose: ComposeStack, service: str
) -> None:
    facts = compose.facts(service)
    user, _, group = facts["Config"]["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert facts["HostConfig"]["ReadonlyRootfs"] is True
    assert facts["HostConfig"]["CapDrop"] == ["ALL"]
    assert facts["HostConfig"]["Privileged"] is False
    mounts = {(mount["Type"], mount["Destination"]) for mount in facts["Mounts"]}
    assert mounts == {("volume", "/data")}


@pytest.mark.parametrize("service", SERVICES)
def test_no_container_s_environment_holds_a_secret(compose: ComposeStack, service: str) -> None:
    names = {
        line.partition("=")[0] for line in compose.facts(service)["Config"]["Env"] if line.partition("=")[2]
    }
    telling = {name for name in names if any(word in name for word in ("PASSWORD", "SECRET", "KEY", "TOKEN"))}
    assert telling - {"TOKEN_ENDPOINT", "OPENAI_API_KEY"} == set()
