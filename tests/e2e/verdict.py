"""What a check can come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.e2e.evidence import Evidence
from tests.e2e.rules import Rule, Transport


class Verdict(StrEnum):
    """The five verdicts. Only `FAIL` and `WRONG_CODE` say that a rule was broken."""

    PASS = "pass"
    FAIL = "fail"
    WRONG_CODE = "wrong code"
    """What had to be refused was refused, but not with the error code that the text names."""
    NOT_APPLICABLE = "not applicable"
    """The target declares that it does not have what the rule is about."""
    NOT_RUN = "not run"
    """The suite was not given what it takes to try."""


class Failed(Exception):
    """The rule is broken: what was expected, and what was seen instead."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}; got {actual}")
        self.expected = expected
        self.actual = actual


class NotRun(Exception):
    """The check cannot be tried on this target; says what is missing and how to give it."""


class UnsoundRun(Exception):
    """Nothing can be judged: the target file is wrong, or the target does not answer. Exit status 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one rule.

    `expected` and `actual` belong to a broken rule, `reason` to one that was not tried. `evidence` is every
    request that the check made, with its answer. `unsound` says that the target gave no usable answer.
    """

    rule: Rule
    verdict: Verdict
    expected: str = ""
    actual: str = ""
    reason: str = ""
    seconds: float = 0.0
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    decisive: int = 0
    """Which of the evidence it was that decided, counted from 0."""
    unsound: bool = False
    by_transport: Mapping[Transport, Verdict] = field(default_factory=dict)
    """What came of it by each transport, where the resource is called; the verdict is the worst of them."""
    expected_failure: str = ""
    """Why the target file says that this rule fails; empty if it does not."""

    @property
    def broken(self) -> bool:
        """Tell whether the rule was tried and did not hold."""
        return self.verdict in {Verdict.FAIL, Verdict.WRONG_CODE}
