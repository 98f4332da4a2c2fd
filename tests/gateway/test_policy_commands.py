"""The command line explains decisions, tests a policy by a table, and replays a log by another."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.__main__ import main
from gateway.settings import Settings
from tests.gateway.conftest import bearer, gateway_with
from tests.gateway.recording import RecordingResource
from tests.issuer import AGENT, CUSTOMER, TestIssuer

PACKAGED = Settings().policy_file
OBSERVED = PACKAGED.read_text().replace("    arguments:", "    mode: observe\n    arguments:")


@pytest.fixture
def own(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a gateway of this test's own, which the command line reads from the environment, too."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(PACKAGED.read_text())
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("POLICY_FILE", str(policy))
    return settings.model_copy(update={"data_dir": tmp_path / "data", "policy_file": policy})


@pytest.fixture
def log(
    own: Settings,
    resource: RecordingResource,
    issuer: TestIssuer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> tuple[Path, list[dict[str, Any]]]:
    """A log of some decisions, which are in the database as well."""
    tokens = {
        scope: bearer(issuer.delegation_token(f"account:{scope}")) for scope in ("read_balance", "transfer")
    }
    with gateway_with(own) as client:
        for amount in (100_000, 100_001):
            transfer(client, tokens["transfer"], amount)
        client.get("/accounts", headers=tokens["read_balance"])
        client.get("/accounts", headers=tokens["transfer"])
        client.get("/accounts", headers=bearer("nonsense"))
        client.get("/accounts?a=%c3%a9", headers=tokens["read_balance"])
        client.request("GET", "/accounts", headers=tokens["read_balance"], content=b"x")
    printed = capsys.readouterr().out
    file = tmp_path / "gateway.log"
    file.write_text(f"INFO: started\n{printed}not a record\n")
    return file, [json.loads(line) for line in printed.splitlines()]


def transfer(client: httpx2.Client, token: dict[str, str], amount: int) -> httpx2.Response:
    body = {"from_account": "4001-01", "to": "x", "amount": {"amount_minor": amount, "currency": "EUR"}}
    return client.post("/transfers", headers=token, json=body)


def explained(decision_id: str, capsys: pytest.CaptureFixture[str], *more: str, status: int = 0) -> str:
    assert main(["policy", "explain", "--decision", decision_id, *more]) == status
    output = capsys.readouterr()
    return output.out + output.err


def test_an_explanation_shows_each_check_with_its_values_and_the_one_that_decided(
    log: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    [permitted, refused] = log[1][:2]
    told = explained(refused["decision_id"], capsys)
    assert told.splitlines()[0] == (f"{refused['decision_id']}  {refused['time']}  deny condition-not-met")
    checks = [line.split(maxsplit=2) for line in told.splitlines()[3:]]
    assert [line[0] for line in checks] == [
        *("operation", "names", "actor", "depth", "scope", "arguments", "condition", "limits")
    ]
    [condition] = [line for line in told.splitlines() if line.startswith("  condition 1")]
    assert condition.split() == [
        *("condition", "1", "fail"),
        *["args.currency", "==", "'EUR'", "&&", "args.amount_minor", "<=", "100000"],
        *["[args.amount_minor", "=", "100001,", "args.currency", "=", "'EUR']", "<-", "decided"],
    ]
    assert f"pass         {AGENT} for {CUSTOMER}" in told
    assert "not reached" in told.splitlines()[-1]
    told = explained(permitted["decision_id"], capsys)
    assert "fail" not in told
    assert "decided" not in told


def test_the_same_is_explained_from_the_log_and_by_the_policy_that_is_named(
    log: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    decision_id = log[1][1]["decision_id"]
    from_log = explained(decision_id, capsys, "--log", str(log[0]), "--policy", str(PACKAGED))
    assert from_log == explained(decision_id, capsys)
    other = tmp_path / "other.yaml"
    other.write_text(PACKAGED.read_text().replace("100000", "200000"))
    told = explained(decision_id, capsys, "--policy", str(other), status=1)
    assert "decides otherwise than the record says" in told


def test_every_decision_of_a_log_can_be_explained_and_nothing_of_a_token_is_shown(
    log: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    told = [explained(one["decision_id"], capsys) for one in log[1]]
    kinds = [text.splitlines()[0].split(maxsplit=2)[2] for text in told]
    assert kinds == [
        "permit", "deny condition-not-met", "permit", "deny insufficient-scope",
        "deny", "permit", "deny unexpected-body",
    ]  # fmt: skip
    assert "There is no more to explain" in told[4]
    assert "The policy did not decide this" in told[6]
    assert "eyJ" not in "".join(told)


@pytest.mark.parametrize("arguments", [["--decision", "0" * 32], ["--decision", "x", "--log", "/nowhere"]])
def test_what_cannot_be_explained_says_why(
    arguments: list[str], log: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "explain", *arguments]) == 2
    assert capsys.readouterr().err


def replayed(
    log: Path, policy: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str]]:
    file = folder / "new.yaml"
    file.write_text(policy)
    status = main(["policy", "replay", "--log", str(log), "--policy", str(file)])
    return status, capsys.readouterr().out.splitlines()


def test_a_replay_names_the_decisions_that_another_policy_would_change(
    log: tuple[Path, list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, records = log
    ids = [one["decision_id"] for one in records]
    text = PACKAGED.read_text()
    assert replayed(file, text, tmp_path, capsys) == (
        0, ["0 decisions would change, 5 would not, 0 cannot be told, 2 were not the policy's"],
    )  # fmt: skip
    status, [one, two, _] = replayed(file, text.replace("<= 100000", "!= 100000"), tmp_path, capsys)
    assert status == 1
    assert one.startswith(f"{ids[0]}  account.transfer: permit -> deny condition-not-met: ")
    assert two.startswith(f"{ids[1]}  account.transfer: deny condition-not-met -> permit: ")
    status, [one, _] = replayed(file, OBSERVED, tmp_path, capsys)
    assert one.startswith(f"{ids[1]}  account.transfer: deny condition-not-met -> permit observed condition")
    moved = text.replace("path: /accounts\n", "path: /others\n")
    status, told = replayed(file, moved, tmp_path, capsys)
    assert [line.split()[0] for line in told[:-1]] == [ids[2], ids[3], ids[5]]
    assert "-> deny unknown-path" in told[0]
    asks_more = text.replace("amount_minor: {", "sum: {").replace("args.amount_minor", "args.sum")
    status, told = replayed(file, asks_more, tmp_path, capsys)
    assert told[0].endswith("cannot be told: the record does not hold the argument sum")
    assert status == 0


def test_a_replay_reads_what_is_recorded_as_the_other_policy_does(
    own: Settings,
    resource: RecordingResource,
    issuer: TestIssuer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = PACKAGED.read_text()
    argument, condition = (
        "    arguments: {one: {in: %s, name: %s}}\n",
        "    conditions: [{require: %s, otherwise: No.}]\n",
    )
    path = "    path: /accounts/{account_id}/balance\n"
    old = text.replace(path, path + argument % ("query", "n") + condition % "\"args.one != ''\"")
    own.policy_file.write_text(old)
    token = bearer(issuer.delegation_token("account:read_balance"))
    with gateway_with(own) as client:
        for number in ("7", "seven"):
            assert client.get(f"/accounts/x/balance?n={number}", headers=token).status_code == 200
    file = tmp_path / "gateway.log"
    file.write_text(capsys.readouterr().out)
    typed = (argument % ("query", "n")).replace("n}", "n, type: int}") + condition % "args.one < 9"
    status, told = replayed(file, text.replace(path, path + typed), tmp_path, capsys)
    assert (status, len(told)) == (1, 2)
    assert "permit -> deny unusable-argument: The argument one is no int" in told[0]
    typed = typed.replace("in: query, name: n", "in: path, name: account_id")
    status, told = replayed(file, text.replace(path, path + typed), tmp_path, capsys)
    assert "2 decisions would change" in told[-1]


def test_what_a_terminal_would_obey_in_a_log_is_shown_and_a_line_that_is_no_record_is_passed_over(
    log: tuple[Path, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, records = log
    hostile = records[1] | {"decision_id": "hostile", "reason": "\x1b]0;x\x07 \u202e", "sub": "\x9b2J"}
    lines = ['{"a":' * 100_000, '{"service":"gateway","decision":"deny","decision_id":"hostile"}']
    file.write_text("\n".join([*lines, json.dumps(hostile)]))
    told = explained("hostile", capsys, "--log", str(file))
    assert told.replace("\n", "").isprintable()
    assert told.splitlines()[1] == "\\x1b]0;x\\x07 \\u202e"


CASES = """\
cases:
  - name: a transfer within the bound
    call: POST /transfers
    token: {act: [https://bank-agent.example.com], scope: account:transfer}
    body: '{"amount": {"amount_minor": 100000, "currency": "EUR"}}'
    expect: permit
  - name: a transfer over the bound
    call: POST /transfers
    token: {act: [https://bank-agent.example.com], scope: account:transfer}
    body: '{"amount": {"amount_minor": 100001, "currency": "EUR"}}'
    expect: deny condition-not-met
  - name: the app's own token
    call: GET /accounts?limit=3
    token: {scope: account:read_balance}
    time: 2026-06-15T23:00:00+02:00
    expect: deny actor-required
  - name: nothing there
    call: GET /nothing
    token: {scope: account:read_balance}
    expect: deny unknown-path
"""


def test_a_table_of_cases_is_run_and_each_failure_has_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(CASES)
    command = ["policy", "test", str(file), "--policy", str(PACKAGED)]
    assert main(command) == 0
    assert capsys.readouterr().out == "4 of 4 cases as expected\n"
    file.write_text(CASES.replace("100001", "100000"))
    assert main(command) == 1
    output = capsys.readouterr()
    assert output.out == "3 of 4 cases as expected\n"
    assert output.err.startswith(
        f"{file}:11: a transfer over the bound: expected deny condition-not-met, found permit: {AGENT}"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("expect: permit", "expect: maybe"), "6: cases.0.expect: "),
        (("call: POST /transfers", "calls: POST /transfers"), "2: cases.0.call"),
        (("2026-06-15T23:00:00+02:00", "noon"), "15: cases.2.time: "),
        (("cases:", "cases: ["), "2: not YAML"),
        (("expect: permit", "expect: permit\n    expect: permit"), "7: 'expect' is already on line 6"),
        ((CASES, "cases: []"), "1: has no cases"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(
    change: tuple[str, str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(CASES.replace(*change, 1))
    assert main(["policy", "test", str(file), "--policy", str(PACKAGED)]) == 2
    assert f"{file}:{told}" in capsys.readouterr().err
