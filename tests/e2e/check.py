"""Checks: functions that try one rule on a target, registered under the rule's id."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tests.e2e.rules import rules

if TYPE_CHECKING:
    from tests.e2e.target import Target

Check = Callable[["Target"], None]
"""Returns if the rule holds; raises `Failed` if not, `NotRun` if it turns out that it cannot be tried."""

CHECKS: Final[dict[str, Check]] = {}
"""Every check by its rule's id; filled as the modules of `tests.e2e.checks` are imported."""


def check(rule_id: str) -> Callable[[Check], Check]:
    """Register a function as the check of a rule. Its docstring says what it tries and what not.

    Raises:
        ValueError: there is no such rule, or it has a check already.
    """
    if rule_id not in rules():
        raise ValueError(f"no rule {rule_id} stands in the catalogue")
    if rule_id in CHECKS:
        raise ValueError(f"{rule_id} has a check already")

    def register(function: Check) -> Check:
        CHECKS[rule_id] = function
        return function

    return register
