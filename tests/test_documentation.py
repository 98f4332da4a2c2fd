"""The documentation is true: every setting stands in its service's README, and every link leads somewhere."""

import importlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from deploy.local_settings import SERVICES

REPOSITORY = Path(__file__).parents[1]
NOT_OURS = {".venv", "node_modules", "data", "test-results"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def settings_class(service: str) -> type[BaseSettings]:
    found: type[BaseSettings] = importlib.import_module(f"{service}.settings").Settings
    return found


def documented_settings(service: str) -> dict[str, str]:
    """Return the README's table of settings: name to the cell with its default."""
    lines = (REPOSITORY / service / "README.md").read_text().splitlines()
    tables = [number for number, line in enumerate(lines) if line.startswith("| setting |")]
    assert len(tables) == 1, f"{service}/README.md has {len(tables)} tables that begin with '| setting |'"
    rows = [line.strip("|").split("|") for line in table_rows(lines[tables[0] + 2 :])]
    return {row[0].strip(" `"): row[1].strip() for row in rows}


def table_rows(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield line


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Read a service's settings from an environment that has only the given one."""
    for name in list(os.environ):
        monkeypatch.delenv(name)

    def read(service: str, **environment: str) -> dict[str, Any]:
        with monkeypatch.context() as only:
            for name, value in environment.items():
                only.setenv(name, value)
            return settings_class(service)().model_dump()

    return read


@pytest.mark.parametrize("service", SERVICES)
def test_the_readme_lists_every_setting_and_no_other(service: str) -> None:
    fields = {name.upper() for name in settings_class(service).model_fields}
    assert set(documented_settings(service)) == fields


@pytest.mark.parametrize("service", SERVICES)
def test_setting_a_documented_default_changes_nothing(
    service: str, settings_of: Callable[..., dict[str, Any]]
) -> None:
    defaults = settings_of(service)
    for name, cell in documented_settings(service).items():
        quoted = re.findall(r"`([^`]*)`", cell)
        assert len(quoted) <= 1, f"{service}: the default of {name} is not one value: {cell}"
        default = defaults[name.lower()]
        if isinstance(default, Path):
            folders = (REPOSITORY, REPOSITORY / service)
            assert default.absolute() in {(folder / quoted[0]).absolute() for folder in folders}, name
        else:
            assert settings_of(service, **{name: "".join(quoted)})[name.lower()] == default, name


def markdown_files() -> list[Path]:
    return sorted(
        file for file in REPOSITORY.rglob("*.md") if not NOT_OURS & set(file.relative_to(REPOSITORY).parts)
    )


@pytest.mark.parametrize("file", markdown_files(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_link_to_a_file_leads_to_one(file: Path) -> None:
    links = LINK.findall(CODE_BLOCK.sub("", file.read_text()))
    local = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if link and not (file.parent / link).exists()] == []
