"""The stack as Compose runs it, seen through the Docker engine."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

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
_LABEL = "com.docker.compose"


class ComposeStack(Stack):
    """The containers of one Compose project. Services without a published port are reached by a tunnel."""

    can_be_stopped = True

    def __init__(self, engine: docker.DockerClient, project: str, container: dict[str, Container]) -> None:
        self._engine = engine
        self._project = project
        self._container = container
        self._printed_before = dict.fromkeys(SERVICES, "")
        self._tunnels = ExitStack()
        self.deployment = ours({service: self._address(service) for service in SERVICES})

    def close(self) -> None:
        """End the tunnels."""
        self._tunnels.close()

    def stop(self, *services: str) -> None:
        for service in services:
            self._container[service].stop(timeout=_END_WITHIN_SECONDS)

    def kill(self, service: str) -> None:
        self._container[service].kill("SIGKILL")
        self._container[service].wait()

    def start(self, *services: str) -> None:
        for service in services:
            self._container[service].start()
        for service in services:
            until(partial(self._is_ready, service), f"{service} is ready", _READY_WITHIN_SECONDS)

    def restart(self) -> None:
        """Remove all containers and networks and make them anew: `docker compose down` and `up`."""
        self._compose("stop")
        self._printed_before = {service: self.output(service) for service in SERVICES}
        self._compose("down")
        self._compose("up", "--no-build", "--detach", "--wait")
        self._container = _containers(self._engine, self._project)

    def output(self, service: str) -> str:
        return self._printed_before[service] + self._container[service].logs().decode(errors="replace")

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

    def _address(self, service: str) -> str:
        container = self._container[service]
        if service not in PUBLISHED:
            return self._tunnels.enter_context(tunnel(str(container.name), PORT[service]))
        [binding] = container.ports[f"{PORT[service]}/tcp"] or []
        return f"http://localhost:{binding['HostPort']}"

    def _compose(self, *command: str) -> None:
        """Run Compose on this very project: from the files it was made of, on the ports it has."""
        labels = next(iter(self._container.values())).labels
        files = labels[f"{_LABEL}.project.config_files"].split(",")
        address = {
            "BANKING_APP_PORT": self.deployment.banking_app,
            "AUTH_SERVER_PORT": self.deployment.issuer,
            "GATEWAY_PORT": self.deployment.gateway,
        }
        ran = subprocess.run(
            [
                *("docker", "compose", "--project-name", self._project),
                *("--project-directory", labels[f"{_LABEL}.project.working_dir"]),
                *(part for file in files for part in ("--file", file)),
                *command,
            ],
            env=os.environ | {name: str(urlsplit(url).port) for name, url in address.items()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"docker compose {' '.join(command)} failed:\n{ran.stderr[-2000:]}"


@contextmanager
def compose_stack() -> Iterator[Stack]:
    """Give the running stack of the Compose project that COMPOSE_PROJECT_NAME names.

    Raises:
        NoStack: no engine answers, or not all five containers run.
    """
    project = os.environ.get("COMPOSE_PROJECT_NAME") or "delegation-bank"
    with ExitStack() as ending:
        try:
            engine = docker.from_env()
            ending.callback(engine.close)
            container = _containers(engine, project)
        except DockerException as error:
            raise NoStack(f"no Docker engine answers ({error})") from error
        stack = ComposeStack(engine, project, container)
        ending.callback(stack.close)
        yield stack


def _containers(engine: docker.DockerClient, project: str) -> dict[str, Container]:
    found = engine.containers.list(filters={"label": f"{_LABEL}.project={project}"})
    by_service = {container.labels[f"{_LABEL}.service"]: container for container in found}
    missing = [service for service in SERVICES if service not in by_service]
    if missing:
        raise NoStack(
            f"no container of {', '.join(missing)} runs in the Compose project {project}: docker compose up "
            "--build --wait; another project is named by COMPOSE_PROJECT_NAME"
        )
    return {service: by_service[service] for service in SERVICES}
