"""The stack as Compose runs it, seen through the Docker engine."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import docker
from docker.errors import DockerException
from docker.models.containers import Container

from deploy.local_settings import SERVICES
from tests.stack.deployment import ours
from tests.stack.stack import NoStack, Stack
from tests.stack.tunnel import tunnel
from tests.stack.waiting import until

PORT = {
    "banking_app": 8501,
    "auth_server": 8502,
    "gateway": 8503,
    "chatbot": 8504,
    "account_api": 8505,
}
"""Where each service listens inside its container."""
PUBLISHED = ("banking_app", "auth_server", "gateway")

_READY_WITHIN_SECONDS = 90.0
_END_WITHIN_SECONDS = 10
_TENTATIVE = 0x40
"""The flag of an IPv6 address that is still being checked for duplicates (RFC 4862 §5.4)."""


class ComposeStack(Stack):
    """The containers of one Compose project. Services without a published port are reached by a tunnel."""

    can_be_stopped = True

    def __init__(self, container: dict[str, Container], address: dict[str, str]) -> None:
        self._container = container
        self.deployment = ours(address)

    def stop(self, *services: str) -> None:
        for service in services:
            self._container[service].stop(timeout=_END_WITHIN_SECONDS)
        _until_interfaces_are_settled()

    def kill(self, service: str) -> None:
        self._container[service].kill("SIGKILL")
        self._container[service].wait()

    def start(self, *services: str) -> None:
        for service in services:
            self._container[service].start()
        for service in services:
            until(partial(self._is_ready, service), f"{service} is ready", _READY_WITHIN_SECONDS)
        _until_interfaces_are_settled()

    def output(self, service: str) -> str:
        return self._container[service].logs().decode(errors="replace")

    def run_python(self, service: str, code: str, *arguments: str) -> str:
        ran = self._container[service].exec_run(["python", "-c", code, *arguments], demux=True)
        output, errors = ((part or b"").decode() for part in cast(tuple[bytes, bytes], ran.output))
        assert ran.exit_code == 0, f"Python in {service} failed: {errors.splitlines()[-1:]}"
        return output

    def python_beside(self, service: str, code: str) -> tuple[tuple[str, ...], dict[str, str]]:
        container = str(self._container[service].id)
        return ("docker", "exec", "--interactive", container, "python", "-c", code), dict(os.environ)

    def facts(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container (`docker inspect`)."""
        container = self._container[service]
        container.reload()
        return dict(container.attrs)

    def _is_ready(self, service: str) -> bool:
        command = ["python", "-m", "delegation.healthcheck", str(PORT[service])]
        return self._container[service].exec_run(command).exit_code == 0


@contextmanager
def compose_stack() -> Iterator[Stack]:
    """Give the running stack of the Compose project that COMPOSE_PROJECT_NAME names.

    Raises:
        NoStack: no engine answers, or not all five containers run.
    """
    project = os.environ.get("COMPOSE_PROJECT_NAME") or "delegation-bank"
    with ExitStack() as ending:
        container = _containers(project, ending)
        address = {
            service: _published_address(container[service])
            if service in PUBLISHED
            else ending.enter_context(tunnel(str(container[service].id), PORT[service]))
            for service in SERVICES
        }
        yield ComposeStack(container, address)


def _containers(project: str, ending: ExitStack) -> dict[str, Container]:
    try:
        engine = docker.from_env()
        ending.callback(engine.close)
        found = engine.containers.list(filters={"label": f"com.docker.compose.project={project}"})
    except DockerException as error:
        raise NoStack(f"no Docker engine answers ({error})") from error
    by_service = {container.labels["com.docker.compose.service"]: container for container in found}
    missing = [service for service in SERVICES if service not in by_service]
    if missing:
        raise NoStack(
            f"no container of {', '.join(missing)} runs in the Compose project {project}: docker compose up "
            "--build --wait; another project is named by COMPOSE_PROJECT_NAME"
        )
    return {service: by_service[service] for service in SERVICES}


def _until_interfaces_are_settled() -> None:
    """Wait until no interface of this machine is about to change.

    A container's end and start change them, and Chromium drops what it is loading when that happens.
    """
    addresses = Path("/proc/net/if_inet6")

    def tentative() -> bool:
        return any(int(line.split()[4], 16) & _TENTATIVE for line in addresses.read_text().splitlines())

    if addresses.exists():
        until(lambda: not tentative(), "every address of this machine is in use")


def _published_address(container: Container) -> str:
    service = container.labels["com.docker.compose.service"]
    [binding] = container.ports[f"{PORT[service]}/tcp"] or []
    return f"http://localhost:{binding['HostPort']}"
