"""Images are built alike, from locks that agree with one another and name nothing of any one machine."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from deploy.local_settings import SERVICES, settings

_REPOSITORY = Path(__file__).parents[2]
_LOCKS = sorted((_REPOSITORY / "requirements").glob("*.txt"))


def pins(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.stem)
def test_every_lock_pins_what_the_test_environment_pins(lock: Path) -> None:
    tested = pins(_REPOSITORY / "requirements" / "dev.txt")
    assert {name: versions for name, versions in pins(lock).items() if not versions <= tested[name]} == {}


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_has_a_hash_and_no_lock_names_an_index_or_a_path(lock: Path) -> None:
    text = lock.read_text()
    assert text.count("==") <= text.count("--hash=sha256:")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|(^|\s)/", text)


def test_whoever_waits_for_a_service_waits_longer_than_that_service_waits_for_the_next() -> None:
    gateway = importlib.import_module("gateway.settings").Settings()
    chatbot = importlib.import_module("chatbot.settings").Settings()
    assert gateway.upstream_connect_timeout_seconds < gateway.upstream_read_timeout_seconds
    assert gateway.upstream_read_timeout_seconds < chatbot.gateway_timeout_seconds


def test_the_images_differ_in_nothing_but_the_service() -> None:
    shapes = {}
    for port, service in enumerate(SERVICES, start=8501):
        text = (_REPOSITORY / service / "Dockerfile").read_text()
        text = re.sub(r'(image\.description)=".*"', r"\1", text)
        text = text.replace("PYTHONUNBUFFERED=1 \\\n    DATA_DIR=/data", "PYTHONUNBUFFERED=1")
        shapes[service] = text.replace(service, "SERVICE").replace(str(port), "PORT")
    assert len(set(shapes.values())) == 1


def test_no_image_needs_a_dockerfile_frontend_from_the_network() -> None:
    for service in SERVICES:
        assert "syntax=" not in (_REPOSITORY / service / "Dockerfile").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_compose_and_the_demo_tell_a_service_the_same_and_only_what_it_reads(service: str) -> None:
    services = yaml.safe_load((_REPOSITORY / "compose.yaml").read_text())["services"]
    compose = services[service]["environment"]
    of_the_server = {"NO_PROXY"}
    model = {"OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"}
    optional = of_the_server | model | {"DATABASE_URL", "TOOLS"}
    demo = settings({name: 8501 + offset for offset, name in enumerate(SERVICES)})[service]
    assert set(compose) - optional == set(demo)
    fields = importlib.import_module(f"{service}.settings").Settings.model_fields
    assert {name for name in compose if name.lower() not in fields} == of_the_server
