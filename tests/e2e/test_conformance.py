"""Our own stack, in process, keeps every rule that applies to it."""

import pytest

from tests.e2e.rules import Rule, rules
from tests.e2e.runner import try_rule
from tests.e2e.target import Target
from tests.e2e.verdict import Verdict


@pytest.mark.parametrize("rule", rules().values(), ids=rules())
def test_rule_holds(rule: Rule, target: Target) -> None:
    result = try_rule(target, rule)
    if result.verdict is Verdict.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {result.reason}")
    assert result.verdict is Verdict.PASS, (
        f"{rule.sentence} {result.reason or f'Expected {result.expected}; got {result.actual}.'}"
    )
