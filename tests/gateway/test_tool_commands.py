"""`python -m gateway tools`: how a person accepts a tool, and what the policy file is afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import main
from gateway.policy_file import read_policy
from gateway.tool_definition import ToolDefinition
from gateway.tool_pin import NotWritable, pinned_text

READ: dict[str, Any] = {"name": "read", "description": "Read.", "inputSchema": {"type": "object"}}
WRITE: dict[str, Any] = READ | {"name": "write", "description": "Write."}
READS, WRITES = ToolDefinition.of(READ).sha256, ToolDefinition.of(WRITE).sha256
POLICY = f"""\
# Who may do what.
audience: https://api.example.com
name: "An API"   # in quotes

operations:
  thing.read:  # reads
    tool: read   # over MCP alone
    writes: 'false'
    scope: thing:read
    actors: [https://agent.example.com]

  thing.write:
    method: PUT
    path: /things
    tool_sha256: {"0" * 64}   # of last year
    tool: write
    scope: thing:write
    actors: [https://agent.example.com]
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file, with a list of tools beside it."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "tools.json").write_text(json.dumps({"tools": [READ, WRITE]}))
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def accept(policy: Path, tool: str, *more: str) -> int:
    """Run the command without a question."""
    definitions = str(policy.with_name("tools.json"))
    arguments = ["accept", tool, "--yes", "--policy", str(policy), "--definitions", definitions]
    return main(["tools", *arguments, *more])


def test_the_hash_is_written_beside_the_tool_and_all_else_stays(policy: Path) -> None:
    assert accept(policy, "read") == accept(policy, "write") == 0
    assert policy.read_text() == POLICY.replace(
        "    tool: read   # over MCP alone\n",
        f"    tool: read   # over MCP alone\n    tool_sha256: {READS}\n",
    ).replace("0" * 64, WRITES)
    operations = read_policy(policy).operations
    assert [one.tool_sha256 for one in operations.values()] == [READS, WRITES]
    assert [file.name for file in policy.parent.iterdir() if "policy" in file.name] == ["policy.yaml"]


def test_what_is_accepted_already_is_left_alone(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accept(policy, "read")
    before = policy.stat().st_mtime_ns
    assert accept(policy, "read") == 0
    assert "is accepted already" in capsys.readouterr().out
    assert policy.stat().st_mtime_ns == before


def test_a_file_that_cannot_be_written_says_what_to_write_and_where(
    policy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write even what is read-only
    assert accept(policy, "write") == 2
    told = capsys.readouterr().err
    assert f"{policy}:15: write `tool_sha256: {WRITES}` beside `tool: write`" in told
    assert policy.read_text() == POLICY


def test_a_linked_file_stays_a_link(policy: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(policy)
    assert accept(policy, "read", "--policy", str(link)) == 0
    assert link.is_symlink()
    assert READS in policy.read_text()


def test_a_tool_of_no_operation_needs_one_first(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.with_name("tools.json").write_text(json.dumps([READ | {"name": "burn"}]))
    assert accept(policy, "burn") == 2
    assert "no operation has the tool burn" in capsys.readouterr().err
    assert accept(policy, "read") == 2
    assert "there is no definition of read in" in capsys.readouterr().err


def test_braces_are_left_to_a_person() -> None:
    text = "operations: {thing.read: {tool: read, scope: a, actors: [b]}}\n"
    with pytest.raises(NotWritable, match="line 1: write `tool_sha256: abc` beside the tool"):
        pinned_text(text, "read", "abc")


def test_a_tool_whose_calls_cannot_be_checked_is_not_accepted(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = READ | {"inputSchema": {"type": "object", "allOf": [{"$ref": "#"}]}}
    policy.with_name("tools.json").write_text(json.dumps([hostile]))
    assert accept(policy, "read") == 2
    assert "read cannot be accepted: inputSchema" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"tools": 5}', '[{"title": "no name"}]'])
def test_a_list_that_is_none_is_told(text: str, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.with_name("tools.json").write_text(text)
    assert accept(policy, "read") == 2
    assert "is no list of tools in JSON that can be read" in capsys.readouterr().err


def test_what_a_definition_hides_is_shown_escaped(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.with_name("tools.json").write_text(
        json.dumps([READ | {"description": "Read.\u200b\x1b[2J\u202e"}])
    )
    arguments = ["--policy", str(policy), "--definitions", str(policy.with_name("tools.json"))]
    assert main(["tools", "show", "read", *arguments]) == 0
    assert "Read.\\u200b\\u001b[2J\\u202e" in capsys.readouterr().out
