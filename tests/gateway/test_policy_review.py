"""What a sound policy says and probably does not mean is a warning, with file and line."""

import json
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.settings import Settings
from tests.gateway.test_policy_file import SOUND

CONDITION = "      - require: {}\n        otherwise: No.\n"
RULES = "    conditions:\n" + CONDITION + CONDITION

CASES = {
    "a scope that no operation needs": (
        ("name: An API\n", "name: An API\nscopes: thing:read thing:write thing:burn\n"),
        "3: warning: scopes: no operation needs thing:burn",
    ),
    "a condition that stands there twice": (
        ("    method: PUT\n", "    method: PUT\n" + RULES.format("customer != ''", "customer != ''")),
        "15: warning: operations.thing.write.conditions.1.require: is never reached: the same",
    ),
    "a condition that always holds": (
        ("    method: PUT\n", "    method: PUT\n" + RULES.format("1 < 2", "customer != ''")),
        "13: warning: operations.thing.write.conditions.0.require: always holds, and refuses nothing",
    ),
    "a condition that never holds": (
        ("    method: PUT\n", "    method: PUT\n" + RULES.format("1 / 0 == 1", "customer != ''")),
        "13: warning: operations.thing.write.conditions.0.require: never holds: nobody may do this",
    ),
    "a condition after one that never holds": (
        ("    method: PUT\n", "    method: PUT\n" + RULES.format("false", "customer != ''")),
        "15: warning: operations.thing.write.conditions.1: is never reached: the condition",
    ),
    "an argument that no condition looks at": (
        ("    method: PUT\n", "    method: PUT\n    arguments:\n      size: {in: body}\n"),
        "13: warning: operations.thing.write.arguments.size: no condition looks at it",
    ),
    "a tool that nobody has accepted": (
        ("    method: PUT\n", "    method: PUT\n    tool: write\n"),
        "12: warning: operations.thing.write.tool: nobody may call it: accept its definition with `tools",
    ),
    "a limit that another one comes before": (
        ("    method: PUT\n", "    method: PUT\n    rate: {agent: 5/minute, customer: 5/second}\n"),
        "12: warning: operations.thing.write.rate.customer: is never reached: 5/minute",
    ),
}


@pytest.mark.parametrize(("change", "told"), CASES.values(), ids=CASES)
def test_a_warning_is_told_with_file_and_line_and_counts_when_it_is_asked_to(
    change: tuple[str, str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SOUND.replace(*change))
    assert main(["policy", "check", str(file)]) == 0
    assert f"{file}:{told}" in capsys.readouterr().err
    assert main(["policy", "check", "--strict", str(file)]) == 1


def test_a_scope_that_the_policy_does_not_know_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SOUND.replace("name: An API\n", "name: An API\nscopes: thing:read\n"))
    assert main(["policy", "check", str(file)]) == 1
    assert capsys.readouterr().err == (
        f"{file}:14: operations.thing.write.scope: thing:write is not in scopes\n"
    )


def test_what_the_resource_serves_and_the_policy_does_not_name_is_told_and_the_reverse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, resource = tmp_path / "policy.yaml", tmp_path / "openapi.json"
    file.write_text(SOUND)
    item: dict[str, object] = {"get": {}, "delete": {}, "parameters": []}
    resource.write_text(json.dumps({"paths": {"/things/{id}": item}}))
    assert main(["policy", "check", str(file), "--openapi", str(resource)]) == 0
    served, unserved = "DELETE /things/{id}", "PUT /things/{thing_id}"
    place = "12: warning: operations.thing.write.path"
    assert capsys.readouterr().err.splitlines() == [
        f"{file}:3: warning: operations: no operation stands for {served}, which the resource serves",
        f"{file}:{place}: the resource does not serve {unserved}",
    ]
    resource.write_text("[]")
    assert main(["policy", "check", str(file), "--openapi", str(resource)]) == 2


def test_a_parameter_that_lets_another_path_of_the_resource_pass_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, resource = tmp_path / "policy.yaml", tmp_path / "openapi.json"
    file.write_text(SOUND)
    served: dict[str, dict[str, object]] = {
        "/things/{id}": {"get": {}, "put": {}},
        "/things/export": {"get": {}},
        "/things/a/b": {"get": {}},
    }
    resource.write_text(json.dumps({"paths": served}))
    assert main(["policy", "check", str(file), "--openapi", str(resource), "--strict"]) == 1
    place, what = "operations.thing.read.path", "which the resource serves"
    assert sorted(line.partition("warning: ")[2] for line in capsys.readouterr().err.splitlines()) == [
        f"{place}: also lets pass GET /things/export, {what} as something else",
        f"operations: no operation stands for GET /things/a/b, {what}",
    ]


def test_the_packaged_policy_gives_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", "--strict", str(Settings().policy_file)]) == 0
    assert capsys.readouterr().err == ""
