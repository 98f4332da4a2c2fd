"""`docs/conformance.md` is true: its target files can be read, and it explains every field and feature."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.e2e import target_file
from tests.e2e.rules import Feature, rules
from tests.e2e.target_file import Section
from tests.e2e.target_reading import read_target_file

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SECTIONS = [
    one
    for one in vars(target_file).values()
    if isinstance(one, type) and issubclass(one, Section) and one is not Section
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_describes_a_target(example: str, tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_text(example)
    assert read_target_file(file, {}).name


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_each_field_is_explained(section: Any) -> None:
    table = PAGE.partition("## Every field")[2]
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", table))))
    assert set(section.model_fields) - named == set()


def test_each_feature_is_named_and_used_by_a_rule() -> None:
    listed = set(re.findall(r"`([a-z_]+)`", PAGE.partition("Features that can be missing:")[2]))
    assert set(get_args(Feature)) <= listed
    assert {name for rule in rules().values() for name in rule.features} == set(get_args(Feature))


def test_it_says_how_many_rules_there_are() -> None:
    assert f"{len(rules())} rules" in PAGE
