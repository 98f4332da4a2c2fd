"""`make demo` starts five processes, says what is wrong, and leaves nothing behind however it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local_settings import SERVICES
from tests.deploy.conftest import Demo, free_port_base, listening, until

Start = Callable[..., Demo]


def environment_of(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/environment") as response:
        told: dict[str, Any] = json.load(response)
        return told


def any_listening(base: int) -> bool:
    return any(listening(base + offset) for offset in range(len(SERVICES)))


def test_says_when_each_service_is_ready_which_address_to_open_and_where_the_records_are(
    start: Start, checkout: Path
) -> None:
    base = free_port_base()
    demo = start(PORT_BASE=str(base))
    demo.wait_until_ready()
    for offset, service in enumerate(SERVICES):
        assert f"{service:<12} ready on port {base + offset}" in demo.output
    assert f"Open http://localhost:{base} " in demo.output
    assert str(checkout / "data" / str(base) / "logs") in demo.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_five_and_leaves_no_process(start: Start, number: signal.Signals) -> None:
    base = free_port_base()
    demo = start(PORT_BASE=str(base))
    demo.wait_until_ready()
    processes = [environment_of(base + offset)["pid"] for offset in range(len(SERVICES))]
    demo.process.send_signal(number)
    assert demo.wait() == 0
    assert not any(Path("/proc", str(pid)).exists() for pid in processes)
    assert not any_listening(base)


def test_ctrl_c_while_it_starts_ends_all_five(start: Start) -> None:
    base = free_port_base()
    demo = start(PORT_BASE=str(base))
    until(lambda: "Starting" in demo.output)
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0
    assert not any_listening(base)


def test_the_services_end_by_themselves_when_the_demo_is_killed(start: Start) -> None:
    base = free_port_base()
    demo = start(PORT_BASE=str(base))
    demo.wait_until_ready()
    demo.process.kill()
    demo.wait()
    until(lambda: not any_listening(base))


def test_a_service_that_dies_is_named_with_the_end_of_its_log_and_takes_the_others_along(
    start: Start,
) -> None:
    base = free_port_base()
    demo = start(PORT_BASE=str(base), GATEWAY_FAILS="yes")
    assert demo.wait() == 1
    assert "gateway ended with code 1" in demo.output
    assert "the reason stands in the log" in demo.output
    assert not any_listening(base)


def test_a_service_killed_later_is_named_and_takes_the_others_along(start: Start) -> None:
    base = free_port_base()
    demo = start(PORT_BASE=str(base))
    demo.wait_until_ready()
    os.kill(environment_of(base + SERVICES.index("chatbot"))["pid"], signal.SIGKILL)
    assert demo.wait() == 1
    assert "chatbot was ended by SIGKILL" in demo.output
    assert not any_listening(base)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_taken_port_is_named_with_the_settings_that_change_it(start: Start, host: str) -> None:
    base = free_port_base()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    with socket.socket(family) as other:
        other.bind((host, base + SERVICES.index("gateway")))
        other.listen()
        demo = start(PORT_BASE=str(base))
        assert demo.wait() == 1
    assert f"port {base + SERVICES.index('gateway')}, for gateway, is taken" in demo.output
    assert "PORT_BASE=" in demo.output
    assert "GATEWAY_PORT=" in demo.output


def test_one_port_can_be_moved_alone_and_every_service_is_told(start: Start) -> None:
    base, other = free_port_base(), free_port_base()
    demo = start(PORT_BASE=str(base), AUTH_SERVER_PORT=str(other))
    demo.wait_until_ready()
    told = environment_of(base)
    assert told["ISSUER"] == f"http://localhost:{other}"
    assert told["TOKEN_ENDPOINT"] == f"http://localhost:{other}/token"


def test_two_run_side_by_side_with_data_of_their_own(start: Start) -> None:
    first, second = free_port_base(), free_port_base()
    demos = [start(PORT_BASE=str(base)) for base in (first, second)]
    for demo in demos:
        demo.wait_until_ready()
    assert environment_of(first)["DATA_DIR"] != environment_of(second)["DATA_DIR"]


def test_the_same_one_does_not_run_twice(start: Start) -> None:
    base = str(free_port_base())
    start(PORT_BASE=base).wait_until_ready()
    second = start(PORT_BASE=base)
    assert second.wait() == 1
    assert "a demo runs with its data in" in second.output
    assert "another PORT_BASE" in second.output


@pytest.mark.parametrize("value", ["80", "70000", "84x1", "-1"])
def test_a_port_that_cannot_be_used_is_refused_by_name(start: Start, value: str) -> None:
    demo = start(PORT_BASE=value)
    assert demo.wait() == 1
    assert f"PORT_BASE={value} is not a port number" in demo.output


def test_two_services_told_to_use_one_port_are_refused(start: Start) -> None:
    demo = start(PORT_BASE="9000", GATEWAY_PORT="9000")
    assert demo.wait() == 1
    assert "both told to use port 9000" in demo.output


def test_settings_of_other_projects_do_not_reach_a_service_and_the_models_key_reaches_the_chatbot_alone(
    start: Start,
) -> None:
    base = free_port_base()
    demo = start(
        PORT_BASE=str(base),
        CLIENT_ID="another project's",
        DATABASE_URL="another project's",
        OPENAI_API_KEY="placeholder",
        AUTH_SERVER_DEMO_PASSWORD="only here",
    )
    demo.wait_until_ready()
    told = {service: environment_of(base + offset) for offset, service in enumerate(SERVICES)}
    assert not any("CLIENT_ID" in of_one or "DATABASE_URL" in of_one for of_one in told.values())
    assert [service for service, of_one in told.items() if "OPENAI_API_KEY" in of_one] == ["chatbot"]
    assert [service for service, of_one in told.items() if "DEMO_PASSWORD" in of_one] == ["auth_server"]


def reset(checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run `make reset` where no Docker is."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.reset"], cwd=checkout, env={"PATH": ""}, capture_output=True, text=True
    )


def test_reset_refuses_while_a_demo_runs_and_removes_its_data_afterwards(
    start: Start, checkout: Path
) -> None:
    demo = start(PORT_BASE=str(free_port_base()))
    demo.wait_until_ready()
    refused = reset(checkout)
    assert refused.returncode == 1
    assert "nothing was removed, because a demo runs" in refused.stderr
    assert (checkout / "data").exists()
    demo.process.send_signal(signal.SIGINT)
    demo.wait()
    done = reset(checkout)
    assert done.returncode == 0
    assert "removed data" in done.stdout
    assert not (checkout / "data").exists()
