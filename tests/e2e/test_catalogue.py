"""The catalogue, the checks and the twins belong together, one to one."""

import pytest

from tests.e2e.check import CHECKS, check
from tests.e2e.rules import FILE, rules
from tests.e2e.twins import matrix
from tests.e2e.twins.twin import TWINS, twin


def test_every_rule_has_a_check_or_a_reason_why_not() -> None:
    untested = {rule.id for rule in rules().values() if rule.untested}
    assert CHECKS.keys() == rules().keys() - untested


def test_every_checked_rule_has_a_twin() -> None:
    assert matrix
    assert {one.rule_id for one in TWINS.values()} == CHECKS.keys()


def test_a_rule_for_mcp_alone_is_not_run_where_there_is_none() -> None:
    for rule in rules().values():
        assert rule.transports
        assert rule.transports != ("MCP",) or "mcp_address" in rule.needs, rule.id


def test_every_check_and_twin_says_what_it_does() -> None:
    for function in (*CHECKS.values(), *(one.apply for one in TWINS.values())):
        assert function.__doc__, function


def test_the_first_77_numbers_are_all_there() -> None:
    assert {int(rule_id[-2:]) for rule_id in rules()} >= set(range(1, 78))


def test_numbers_are_used_once() -> None:
    numbers = [rule_id[-2:] for rule_id in rules()]
    assert len(numbers) == len(set(numbers)), FILE


def test_a_check_or_a_twin_of_no_rule_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="no rule TX-00"):
        check("TX-00")
    with pytest.raises(ValueError, match="no rule TX-00"):
        twin("TX-00", "is of no rule")
    with pytest.raises(ValueError, match="has a check already"):
        check("TX-02")
