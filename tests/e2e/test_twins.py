"""Every twin is caught by the check that it was made for. `make twins` tries each with all checks."""

import pytest

from tests.e2e.in_process import InProcess
from tests.e2e.rules import rules
from tests.e2e.runner import try_rule
from tests.e2e.target import Target
from tests.e2e.twins import matrix
from tests.e2e.twins.twin import TWINS, Twin
from tests.e2e.verdict import Verdict

assert matrix, "importing it registers every twin"


@pytest.mark.parametrize("twin", TWINS.values(), ids=[f"{one.rule_id}-{one.name}" for one in TWINS.values()])
def test_twin_is_caught(
    twin: Twin, bank: InProcess, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    with twin.apply(bank):
        result = try_rule(target, rules()[twin.rule_id])
    assert result.verdict is twin.verdict, f"{result.verdict}: {result.expected}; {result.actual}"
    assert not result.unsound, result.actual
    # A service that breaks down refuses everything: that shows nothing of the flaw.
    assert "Exception in ASGI application" not in caplog.text


@pytest.mark.parametrize("rule_id", sorted({twin.rule_id for twin in TWINS.values()}))
def test_no_flaw_stays_after_its_twin(rule_id: str, bank: InProcess, target: Target) -> None:
    result = try_rule(target, rules()[rule_id])
    assert result.verdict in {Verdict.PASS, Verdict.NOT_APPLICABLE}, f"{result.expected}; {result.actual}"
