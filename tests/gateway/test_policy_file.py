"""The policy file is checked before it is used: every fault is told, with its line."""

from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from gateway.__main__ import main
from gateway.policy_file import UnsoundPolicy, read_policy

PACKAGED = Path(__file__).parents[2] / "gateway" / "policy.yaml"

VERSION = sha256(PACKAGED.read_bytes()).hexdigest()

SOUND = """\
audience: https://api.example.com
name: An API
operations:
  thing.read:
    method: GET
    path: /things/{thing_id}
    scope: thing:read
    actors:
      - https://agent.example.com
  thing.write:
    method: PUT
    path: /things/{thing_id}
    scope: thing:read thing:write
    actors: [https://agent.example.com, https://other.example.com]
"""

FAULTS: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("policy_faults.yaml").read_text())


@pytest.mark.parametrize("fault", FAULTS, ids=[fault["fault"] for fault in FAULTS])
def test_a_fault_is_told_with_file_and_line(fault: dict[str, str], tmp_path: Path) -> None:
    before, found, after = SOUND.rpartition(fault["replace"])
    assert found, "the case no longer fits the sound policy"
    file = tmp_path / "policy.yaml"
    file.write_bytes((before + fault["with"] + after).encode())
    with pytest.raises(UnsoundPolicy) as error:
        read_policy(file)
    assert f"{file}:{fault['told']}" in str(error.value).splitlines()


def test_every_fault_is_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    another = """\
  thing.list:
    method: GET
    path: /{kind}/all
    scope: thing:read
    actors: []
    actors: [https://agent.example.com]
"""
    file = tmp_path / "policy.yaml"
    file.write_text(
        SOUND.replace("PUT", "GET").replace("name:", "nom:").replace("/things", "things", 1) + another
    )
    with pytest.raises(UnsoundPolicy) as error:
        read_policy(file)
    assert [fault.line for fault in error.value.faults] == [1, 2, 6, 19, 20]


@pytest.mark.parametrize(
    "text", ["", "- a\n", "just text", "operations: {}", "[" * 3000, "{a: " * 900 + "}" * 900], ids=len
)
def test_a_file_that_is_no_policy_at_all_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(UnsoundPolicy, match=f"{file}:1: "):
        read_policy(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsoundPolicy, match="cannot be read"):
        read_policy(tmp_path)
    (tmp_path / "policy.yaml").write_bytes(b"name: \xff")
    with pytest.raises(UnsoundPolicy, match="is not UTF-8 text"):
        read_policy(tmp_path / "policy.yaml")


def test_values_keep_the_text_they_were_written_as(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SOUND.replace("thing:read thing:write", "no").replace("An API", "2025-01-01"))
    policy = read_policy(file)
    assert (str(policy.operations["thing.write"].scope), policy.name) == ("no", "2025-01-01")


def test_the_packaged_policy_says_what_the_design_says() -> None:
    policy = read_policy(PACKAGED)
    assert policy.audience == "https://account.api.example.com"
    assert {
        name: (f"{one.method} {one.path}", str(one.scope), one.actors)
        for name, one in policy.operations.items()
    } == {
        name: (route, scope, frozenset({"https://bank-agent.example.com"}))
        for name, route, scope in [
            ("account.list", "GET /accounts", "account:read_balance"),
            ("account.read_balance", "GET /accounts/{account_id}/balance", "account:read_balance"),
            (
                "account.read_transactions",
                "GET /accounts/{account_id}/transactions",
                "account:read_transactions",
            ),
            ("account.transfer", "POST /transfers", "account:transfer"),
        ]
    }


def test_the_command_line_checks_a_file_and_the_packaged_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SOUND.replace("actors:\n", "actor:\n"))
    assert main(["policy", "check", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"{file}:4: operations.thing.read: 'actors' is missing\n")
    assert main(["policy", "check"]) == 0
    sound = capsys.readouterr()
    assert sound.err == ""
    assert sound.out.endswith(f"policy.yaml: sound, 4 operations, version {VERSION}\n")
