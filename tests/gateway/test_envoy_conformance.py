"""The whole stack in process with Envoy in the gateway's place keeps every rule of the suite for resources.

That the gateway itself keeps them is shown in tests/e2e: so the verdicts are the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.app import create_decision_service
from gateway.settings import Settings
from tests.e2e.in_process import Layered, in_process
from tests.e2e.rules import Rule, rules
from tests.e2e.runner import try_rule
from tests.e2e.target import Target
from tests.e2e.verdict import Verdict
from tests.envoy import serving_envoy

RULES = {
    name: rule for name, rule in rules().items() if rule.target == "resource" and "mcp" not in rule.features
}
"""The export says nothing of MCP: such calls are the gateway's own to judge, and Envoy refuses them."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    @contextmanager
    def served_by_envoy(settings: Settings, port: int) -> Iterator[Layered]:
        decision_service = Layered(create_decision_service(settings))
        folder: Path = tmp_path_factory.mktemp("envoy")
        with serving_envoy(settings, folder, decision_service=decision_service, port=port):
            yield decision_service

    with in_process(served_by_envoy) as bank, bank.target(mcp=False) as target:
        target.prepare()
        yield target


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_rule_holds(rule: Rule, target: Target) -> None:
    result = try_rule(target, rule)
    if result.verdict is Verdict.NOT_APPLICABLE:
        pytest.skip(f"not applicable: {result.reason}")
    assert result.verdict is Verdict.PASS, (
        f"{rule.sentence} {result.reason or f'Expected {result.expected}; got {result.actual}.'}"
    )
