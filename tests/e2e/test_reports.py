"""What a run leaves behind says what happened, completely, and no secret."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from tests.e2e.__main__ import main
from tests.e2e.evidence import FORM, Discretion, Evidence, shortened
from tests.e2e.in_process import TARGET_FILE, InProcess
from tests.e2e.reports import document as documents
from tests.e2e.reports.document import document
from tests.e2e.reports.junit import junit
from tests.e2e.reports.page import page
from tests.e2e.rules import rules
from tests.e2e.runner import Run, run, selected
from tests.e2e.target import Target
from tests.e2e.target_file import ExpectedFailure
from tests.e2e.twins import exchange_request
from tests.e2e.verdict import Result, Verdict

SCHEMA = json.loads(Path(documents.__file__).with_name("report.schema.json").read_text())
WHOLE_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+")
HOSTILE = "<script>alert(1)</script> [bold]x[/] \x00\x1b[31m"


@pytest.fixture(scope="module")
def whole(target: Target) -> Run:
    """A run of all rules on our stack."""
    return run(target, selected())


@pytest.fixture(scope="module")
def broken(bank: InProcess, target: Target) -> Run:
    """A run on a twin."""
    with exchange_request.guesses_the_subject_token_type(bank):
        return run(target, selected(["TX-02", "TX-08"]))


def odd(target: Target, **fields: Any) -> Run:
    """A run whose one result says what a hostile target makes it say."""
    result = Result(rule=rules()["TX-02"], verdict=Verdict.FAIL, expected="that", actual=HOSTILE)
    result = replace(result, evidence=(Evidence(HOSTILE, HOSTILE),), **fields)
    return Run(target.file, (result,), datetime.now(UTC), 1.0)


def test_the_document_keeps_to_its_schema(whole: Run, broken: Run, target: Target) -> None:
    for one in (whole, broken, odd(target)):
        jsonschema.validate(document(one, profile=True), SCHEMA)


def test_no_report_holds_a_whole_token_or_a_key(whole: Run, bank: InProcess) -> None:
    text = json.dumps(document(whole, profile=True))
    assert not WHOLE_TOKEN.search(text)
    for secret in ("PRIVATE KEY", *bank.environment["CUSTOMER_PASSWORD"].split()):
        assert secret not in text


def test_a_broken_rule_is_told_with_its_evidence_and_how_to_mend_it(broken: Run) -> None:
    report = document(broken, profile=True)
    one = report["results"][0]
    assert (one["id"], one["verdict"], report["verdict"]) == ("TX-02", "fail", "not conformant")
    assert "subject_token_type" in one["expected"]
    assert one["actual"].startswith("200")
    assert one["mend"]
    for text in (page(report), junit(report)):
        assert one["mend"] in text
        assert "POST http" in text


def test_the_page_is_one_file_and_shows_what_targets_say_as_text(whole: Run, target: Target) -> None:
    text = page(document(odd(target), profile=True))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not re.search(r"<[^>]*\b(src|href)=", page(document(whole, profile=True)))
    assert text.count('<input type="radio"') == 2


def test_junit_has_a_case_for_each_rule_and_survives_what_targets_say(whole: Run, target: Target) -> None:
    root = ElementTree.fromstring(junit(document(whole, profile=True)))
    assert len(root.findall("testsuite/testcase")) == len(rules())
    [suite] = ElementTree.fromstring(junit(document(odd(target), profile=True)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "1", "0")
    [suite] = ElementTree.fromstring(junit(document(odd(target, unsound=True), profile=True)))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "1")


@pytest.mark.parametrize(
    ("rule_id", "verdict", "fields", "status", "status_without_profile"),
    [
        ("TX-02", Verdict.PASS, {}, 0, 0),
        ("TX-02", Verdict.FAIL, {}, 1, 1),
        ("TX-02", Verdict.WRONG_CODE, {}, 1, 1),
        ("TX-20", Verdict.FAIL, {}, 1, 0),
        ("TX-07", Verdict.FAIL, {}, 0, 0),
        ("TX-02", Verdict.NOT_RUN, {}, 2, 2),
        ("TX-02", Verdict.FAIL, {"expected_failure": "known"}, 0, 0),
        ("TX-02", Verdict.PASS, {"expected_failure": "known"}, 1, 1),
        ("TX-02", Verdict.NOT_APPLICABLE, {"expected_failure": "known"}, 2, 2),
        ("TX-20", Verdict.FAIL, {"unsound": True}, 2, 2),
    ],
)
def test_the_exit_status_says_what_the_run_is_worth(
    rule_id: str,
    verdict: Verdict,
    fields: dict[str, Any],
    status: int,
    status_without_profile: int,
    target: Target,
) -> None:
    result = replace(Result(rule=rules()[rule_id], verdict=verdict), **fields)
    one = Run(target.file, (result,), datetime.now(UTC), 0.0)
    assert (one.exit_status(), one.exit_status(profile=False)) == (status, status_without_profile)


def test_a_failure_that_is_expected_counts_apart_and_a_stale_one_is_told(
    bank: InProcess, target: Target
) -> None:
    known = ExpectedFailure(rule="TX-02", reason="a known gap")
    target.file = target.file.model_copy(update={"expected_failures": (known,)})
    try:
        with exchange_request.guesses_the_subject_token_type(bank):
            expected = run(target, selected(["TX-02"]))
        stale = run(target, selected(["TX-02"]))
    finally:
        target.file = target.file.model_copy(update={"expected_failures": ()})
    assert expected.exit_status() == 0
    report = document(expected, profile=True)
    assert (report["verdict"], report["counts"]["spec"]["expected failure"]) == ("known failures", 1)
    assert stale.exit_status() == 1
    assert [one.rule.id for one in stale.stale] == ["TX-02"]


def test_the_command_line_ends_in_one_line_of_counts_and_writes_the_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environment: dict[str, str]
) -> None:
    text = TARGET_FILE.read_text().replace(
        'command = ["${PYTHON:-python}", "-m", "tests.stack.minting"]\nsubject_tokens = true',
        'key_env = "AGENT_KEY"\naccess_tokens = false',
    )
    text = re.sub(r'\[resource\.mcp\]\npath = "/mcp"\n', "", text) + '\n[not_offered]\nmcp = "It has none."\n'
    file = tmp_path / "target.toml"
    file.write_text(text)
    arguments = ["--target", str(file), "--only", "TX-02,RS-49,RS-65", "--report", str(tmp_path / "reports")]
    assert main(arguments, environment) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "conformance: 1 passed, 0 failed, 2 skipped"
    written = {path.name for path in (tmp_path / "reports").iterdir()}
    assert written == {"report.json", "junit.xml", "report.html"}
    report = json.loads((tmp_path / "reports" / "report.json").read_text())
    assert [one["verdict"] for one in report["results"]] == ["pass", "not run", "not applicable"]


def test_the_list_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    told = capsys.readouterr().out
    assert all(rule_id in told for rule_id in rules())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("subject_token=opaque-and-secret&scope=a", "subject_token=…&scope=a"),
        ("actor_token_type=urn:x", "actor_token_type=urn:x"),
        ("a\n&client_secret=hunter2-hunter2", "a\n&client_secret=…"),
        (
            '{"access_token": "opaque-and-secret","token_type":"Bearer"}',
            '{"access_token":"…","token_type":"Bearer"}',
        ),
        ("Bearer opaque-and-secret-1234", "Bearer …"),
        ('name="client_secret"\r\n\r\nhunter2\r\n--x', 'name="client_secret"\r\n\r\n…\r\n--x'),
        ("Location: http://x/cb?code=abc123&state=s", "Location: http://x/cb?code=…&state=s"),
        ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "eyJhbGciO…"),
        (
            'Bearer error="invalid_token", error_description="no"',
            'Bearer error="invalid_token", error_description="no"',
        ),
    ],
)
def test_evidence_shows_no_secret(text: str, shown: str) -> None:
    assert shortened(text) == shown


def test_a_secret_is_hidden_wherever_a_server_repeats_it() -> None:
    discretion = Discretion()
    basic = "Basic YWdlbnQ6aHVudGVyMiBodW50ZXIy"
    headers = [("Authorization", basic), ("Content-Type", FORM)]
    discretion.learn(headers, b"subject_token=opaque%2Fsecret&scope=a", b'{"refresh_token": "r-1234567"}')
    said = f"You sent {basic}, opaque/secret, opaque%2Fsecret, hunter2 hunter2 and r-1234567."
    shown = discretion.answer(400, [("X-Echo", said)], json.dumps({"error_description": said}))
    for secret in ("opaque", "hunter2", "r-1234567", "YWdlbnQ6"):
        assert secret not in shown


def test_what_a_target_says_cannot_steer_a_terminal() -> None:
    shown = Discretion().answer(200, [("X-Name", "\x1b[2J")], "\x1b]0;conformant\x07 \ud800")
    assert shown.isprintable() or (set(shown) - {"\n"} and "\x1b" not in shown)
    assert "\x07" not in shown
    shown.encode()
