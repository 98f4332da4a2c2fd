"""Runs the checks on a target, one after the other, each with a verdict."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import tests.e2e.checks  # noqa: F401 - registers every check
from tests.e2e.check import CHECKS
from tests.e2e.evidence import Evidence
from tests.e2e.rules import Rule, Transport, rules
from tests.e2e.target import Target
from tests.e2e.target_file import TargetFile
from tests.e2e.verdict import Failed, NotRun, Result, UnsoundRun, Verdict
from tests.e2e.wire import TransportFault

Progress = Callable[[Result], None]
_WORST_FIRST: Final = (
    Verdict.FAIL,
    Verdict.WRONG_CODE,
    Verdict.NOT_RUN,
    Verdict.NOT_APPLICABLE,
    Verdict.PASS,
)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a whole run. Times are aware UTC, `seconds` is how long it took."""

    target: TargetFile
    results: tuple[Result, ...]
    began_at: datetime
    seconds: float

    def of(self, *verdicts: Verdict) -> list[Result]:
        """Return the results with one of these verdicts."""
        return [result for result in self.results if result.verdict in verdicts]

    @property
    def unsound(self) -> list[Result]:
        """Return the rules at which the target gave no usable answer: of them nothing is known."""
        return [result for result in self.results if result.unsound]

    @property
    def broken(self) -> list[Result]:
        """Return the rules that do not hold, those apart that the target file says do not."""
        return [result for result in self.results if result.broken and not result.expected_failure]

    @property
    def stale(self) -> list[Result]:
        """Return the rules that the target file says fail, and that did not: they hold, or were not tried."""
        return [result for result in self.results if result.expected_failure and not result.broken]

    def exit_status(self, *, profile: bool = True) -> int:
        """Return 2 if the run says nothing, 1 if a rule is broken or an expected failure is stale, else 0.

        It says nothing if it is unsound, or if no rule was tried.

        A broken SHOULD is reported and does not fail the run; a profile rule does, unless `profile` is off.
        """
        if self.unsound or not self.of(Verdict.PASS, Verdict.FAIL, Verdict.WRONG_CODE):
            return 2
        failing = {"MUST", "profile"} if profile else {"MUST"}
        return 1 if self.stale or any(result.rule.kind in failing for result in self.broken) else 0


def selected(only: Collection[str] = ()) -> list[Rule]:
    """Return the rules to run: all, or those whose id is named or begins with what is named (`TX`, `RS-5`).

    Raises:
        ValueError: a name fits no rule.
    """
    for name in only:
        if not any(rule_id.startswith(name.upper()) for rule_id in rules()):
            raise ValueError(f"no rule begins with {name}; --list shows them all")
    wanted = tuple(name.upper() for name in only)
    return [rule for rule in rules().values() if not wanted or rule.id.startswith(wanted)]


def run(target: Target, chosen: Iterable[Rule], progress: Progress = lambda _result: None) -> Run:
    """Run the checks of the chosen rules on a target that is prepared."""
    began_at, began = datetime.now(UTC), time.monotonic()
    results = []
    for rule in chosen:
        result = replace(try_rule(target, rule), expected_failure=_expected_failure(target.file, rule))
        progress(result)
        results.append(result)
    return Run(target.file, tuple(results), began_at, time.monotonic() - began)


def try_rule(target: Target, rule: Rule, *, confirm: bool = True) -> Result:
    """Try one rule, by each transport that it is about, and see afterwards that the target still serves.

    `confirm` leaves the latter out, for speed.
    """
    reason = _not_applicable(target.file, rule)
    if reason:
        return Result(rule=rule, verdict=Verdict.NOT_APPLICABLE, reason=reason)
    reason = rule.untested or next(filter(None, map(target.lacks, rule.needs)), "")
    if reason:
        return Result(rule=rule, verdict=Verdict.NOT_RUN, reason=reason)
    if rule.target == "resource":
        transports = [one for one in target.transports if one in rule.transports]
        return _together({one: _tried_by(target, rule, one, confirm=confirm) for one in transports})
    return _tried_by(target, rule, "REST", confirm=confirm)


def _tried_by(target: Target, rule: Rule, transport: Transport, *, confirm: bool) -> Result:
    target.begin_check(transport)
    began = time.monotonic()
    result = _confirmed(target, _tried(target, rule), confirm=confirm)
    hide = target.wire.discretion.clip
    return replace(
        result,
        expected=hide(result.expected),
        actual=hide(result.actual),
        seconds=time.monotonic() - began,
    )


def _together(by_transport: Mapping[Transport, Result]) -> Result:
    """Return the worst of what came of one rule, with the evidence of all."""
    worst_of = min(by_transport, key=lambda one: _rank(by_transport[one]))
    worst, decisive = by_transport[worst_of], 0
    evidence: list[Evidence] = []
    for transport, one in by_transport.items():
        decisive = len(evidence) + one.decisive if transport == worst_of else decisive
        evidence += one.evidence
    by = f"by {worst_of}: " if len(by_transport) > 1 else ""
    return replace(
        worst,
        expected=worst.expected and f"{by}{worst.expected}",
        reason=worst.reason and f"{by[:1].upper()}{by[1:]}{worst.reason}",
        seconds=sum(one.seconds for one in by_transport.values()),
        evidence=tuple(evidence),
        decisive=decisive,
        by_transport={transport: one.verdict for transport, one in by_transport.items()},
    )


def _rank(result: Result) -> int:
    return -1 if result.unsound else _WORST_FIRST.index(result.verdict)


def _confirmed(target: Target, result: Result, *, confirm: bool) -> Result:
    """See that the target still does what is legitimate, so that its refusals count; keep the evidence."""
    evidence = tuple(target.wire.evidence)
    shown = target.expect.first_wrong_request if result.verdict is Verdict.WRONG_CODE else len(evidence)
    if confirm and result.verdict in {Verdict.PASS, Verdict.WRONG_CODE}:
        try:
            target.confirm(result.rule.target)
        except Exception as fault:  # noqa: BLE001 - as below
            result = _unsound(result.rule, f"refusals that may have another reason: afterwards, {fault}")
    return replace(result, evidence=evidence, decisive=max(0, shown - 1))


def _tried(target: Target, rule: Rule) -> Result:
    try:
        CHECKS[rule.id](target)
    except NotRun as missing:
        if not target.expect.wrong_codes:
            return Result(rule=rule, verdict=Verdict.NOT_RUN, reason=str(missing))
    except Failed as failed:
        return Result(rule=rule, verdict=Verdict.FAIL, expected=failed.expected, actual=failed.actual)
    except (TransportFault, UnsoundRun) as fault:
        return _unsound(rule, str(fault))
    except Exception as fault:  # noqa: BLE001 - no answer of a target may end the run, or pass for a verdict
        return _unsound(rule, f"the check itself broke over it: {fault!r}")
    wrong = target.expect.wrong_codes
    if wrong:
        return Result(
            rule=rule, verdict=Verdict.WRONG_CODE, expected=wrong[0].expected, actual=wrong[0].actual
        )
    return Result(rule=rule, verdict=Verdict.PASS)


def _unsound(rule: Rule, actual: str) -> Result:
    return Result(rule=rule, verdict=Verdict.FAIL, expected="a usable answer", actual=actual, unsound=True)


def _not_applicable(file: TargetFile, rule: Rule) -> str:
    if rule.target == "resource" and file.resource is None:
        return "The target file describes no resource."
    if rule.target == "authorization server" and file.authorization_server is None:
        return "The target file describes no authorization server."
    return next((file.not_offered[name] for name in rule.features if name in file.not_offered), "")


def _expected_failure(file: TargetFile, rule: Rule) -> str:
    return next((one.reason for one in file.expected_failures if one.rule == rule.id), "")
