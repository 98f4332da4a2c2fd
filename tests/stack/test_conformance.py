"""The running stack keeps every rule of the catalogue that can be tried from outside."""

import os
from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e.in_process import TARGET_FILE
from tests.e2e.rules import Rule, rules
from tests.e2e.runner import try_rule
from tests.e2e.target import Target, live_target
from tests.e2e.target_reading import read_target_file
from tests.e2e.verdict import Verdict
from tests.stack.agent_registry import switch_agent
from tests.stack.conformance import environment_of
from tests.stack.minting import minting_beside
from tests.stack.stack import Stack


@pytest.fixture(scope="module")
def target(stack: Stack) -> Iterator[Target]:
    environment = os.environ | environment_of(stack)
    file = read_target_file(TARGET_FILE, environment)
    switch = partial(switch_agent, stack)
    with (
        minting_beside(stack) as program,
        live_target(file, environment, sign=program, switch_agent=switch) as target,
    ):
        target.prepare()
        yield target


@pytest.mark.parametrize("rule", rules().values(), ids=rules())
def test_rule_holds(rule: Rule, target: Target) -> None:
    result = try_rule(target, rule)
    if result.verdict in {Verdict.NOT_APPLICABLE, Verdict.NOT_RUN}:
        pytest.skip(f"{result.verdict}: {result.reason}")
    assert result.verdict is Verdict.PASS, f"{rule.sentence} Expected {result.expected}; got {result.actual}."
