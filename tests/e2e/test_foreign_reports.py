"""What `docs/conformance/` says of somebody else's servers is what the suite said, with this catalogue."""

import json
import re
from collections import defaultdict
from pathlib import Path

import jsonschema
import pytest

from docs.conformance.mcp_conformance.start import deviations, told
from docs.conformance.summary import rows
from tests.e2e.reports import document
from tests.e2e.rules import rules
from tests.e2e.target_reading import read_target_file

FOLDER = Path(__file__).parents[2] / "docs" / "conformance"
PRODUCTS = sorted(path.parent for path in FOLDER.glob("*/target.toml"))
SCHEMA = json.loads(Path(document.__file__).with_name("report.schema.json").read_text())


def test_there_are_two_authorization_servers_and_two_gateways() -> None:
    targets = [read_target_file(one / "target.toml", defaultdict(lambda: "x")) for one in PRODUCTS]
    assert sum(one.authorization_server is not None for one in targets) >= 2
    assert sum(one.resource is not None for one in targets) >= 2


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_the_report_is_of_this_catalogue_and_as_expected(product: Path) -> None:
    report = json.loads((product / "report" / "report.json").read_text())
    jsonschema.validate(report, SCHEMA)
    assert {one["id"]: one["sentence"] for one in report["results"]} == {
        rule_id: rule.sentence for rule_id, rule in rules().items()
    }, "make it again: the catalogue has changed"
    assert report["exit_status"] == 0


def test_the_table_says_what_the_reports_say() -> None:
    text = (FOLDER / "README.md").read_text()
    assert [row for row in rows() if row not in text] == []


def test_each_failure_in_the_suite_for_mcp_is_explained_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads((FOLDER / "mcp_conformance" / "report" / "checks.json").read_text())
    assert told(found, deviations()) == 0, capsys.readouterr().out
    assert told(found, deviations()[1:]) == 1
    extra = {"scenarios": ["tools-list"], "reason": "It holds."}
    assert told(found, [*deviations(), extra]) == 1
    assert found.keys() == {"2025-11-25", "2026-07-28", "authorization server"}


def test_the_clients_for_mcp_pass_in_both_revisions() -> None:
    lines = (FOLDER / "mcp_typescript" / "report" / "clients.txt").read_text().splitlines()
    assert all(line.startswith("pass ") for line in lines)
    for client in ("sdk 1.32.2, 2025-11-25", "client 2.4.0, 2025-11-25", "client 2.4.0, 2026-07-28"):
        assert sum(client in line for line in lines) == 4


def test_each_rule_that_the_text_names_is_one() -> None:
    named = set(re.findall(r"\b(?:TX|AS|RS|LC)-\d\d\b", (FOLDER / "README.md").read_text()))
    assert named <= rules().keys()
