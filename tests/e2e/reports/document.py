"""A run as `report.json` says it; `report.schema.json` is its schema, and the other reports read the same."""

from collections.abc import Iterable
from typing import Any, Final

from tests.e2e.runner import Run
from tests.e2e.verdict import Result, Verdict

SCHEMA_VERSION: Final = 1


def document(run: Run, *, profile: bool) -> dict[str, Any]:
    """Return a run as a JSON object; `profile` says whether broken profile rules fail it."""
    status = run.exit_status(profile=profile)
    return {
        "schema_version": SCHEMA_VERSION,
        "target": {"name": run.target.name, "about": run.target.about},
        "began_at": run.began_at.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 1),
        "verdict": _verdict(run, status, profile=profile),
        "exit_status": status,
        "profile": profile,
        "counts": {
            "spec": _counts(r for r in run.results if not r.rule.is_profile),
            "profile": _counts(r for r in run.results if r.rule.is_profile),
        },
        "results": [_result(result) for result in run.results],
    }


def _verdict(run: Run, status: int, *, profile: bool) -> str:
    """Return the verdict of the whole run; failures that are expected are no conformance."""
    if status:
        return {1: "not conformant", 2: "unsound"}[status]
    known = [one.rule for one in run.results if one.broken and one.expected_failure]
    known = [rule for rule in known if rule.kind == "MUST" or (profile and rule.is_profile)]
    return "known failures" if known else "conformant"


def _counts(results: Iterable[Result]) -> dict[str, int]:
    """Count each verdict; a failure that the target file expects is counted apart."""
    counts = {verdict.value: 0 for verdict in Verdict} | {"expected failure": 0}
    for result in results:
        known = result.broken and result.expected_failure
        counts["expected failure" if known else result.verdict.value] += 1
    return counts


def _result(result: Result) -> dict[str, Any]:
    rule = result.rule
    return {
        "id": rule.id,
        "sentence": rule.sentence,
        "kind": rule.kind,
        "source": rule.source,
        "target": rule.target,
        "verdict": result.verdict.value,
        "expected": result.expected,
        "actual": result.actual,
        "reason": result.reason,
        "mend": rule.mend if result.broken else "",
        "expected_failure": result.expected_failure,
        "unsound": result.unsound,
        "by_transport": {transport: one.value for transport, one in result.by_transport.items()},
        "decisive": result.decisive,
        "seconds": round(result.seconds, 3),
        "evidence": [{"request": one.request, "answer": one.answer} for one in result.evidence],
    }
