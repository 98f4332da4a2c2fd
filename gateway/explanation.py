"""Why a recorded decision was made: each check in order, its values, and the one that decided."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.arguments import UnusableArgument
from gateway.condition import Facts, Undecidable
from gateway.decision import CONDITION_RULES, LIMIT_RULE, TOKEN_RULES, Request, Rule
from gateway.policy import Operation, Policy


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was compared, and how it ended: `pass`, `fail`, `observed` or `not reached`."""

    name: str
    values: str
    outcome: str


def explanation(policy: Policy, request: Request) -> Iterator[Check]:
    """Yield every check of a request in the order of the decision; the first `fail` decided."""
    operation = policy.operations[request.operation]
    over = False
    for rule in (*TOKEN_RULES, *CONDITION_RULES, LIMIT_RULE):
        failed = rule.refusal(request, operation) is not None
        observed = rule in CONDITION_RULES and operation.mode == "observe"
        for name, values, holds in _parts(rule, request, operation, failed=failed):
            outcome = "pass" if holds else "observed" if observed else "fail"
            yield Check(name, values, "not reached" if over else outcome)
            over = over or outcome == "fail"
        if over and rule in TOKEN_RULES:
            return


def _parts(
    rule: Rule, request: Request, operation: Operation, *, failed: bool
) -> Iterator[tuple[str, str, bool]]:
    if rule.name != "conditions":
        yield rule.name, _VALUES[rule.name](request, operation), not failed
        return
    if isinstance(request.arguments, UnusableArgument):
        return
    facts = Facts(request.token, request.arguments, request.now)
    for number, expression in enumerate(operation.compiled):
        text = operation.conditions[number].require
        values = ", ".join(f"{name} = {_shown(value)}" for name, value in expression.values(facts).items())
        try:
            holds, error = expression.holds(facts), ""
        except Undecidable as fault:
            holds, error = False, f"; cannot be decided: {fault}"
        yield f"condition {number + 1}", f"{text}  [{values}{error}]", holds


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever CEL can be given
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def _arguments(request: Request, _operation: Operation) -> str:
    if isinstance(request.arguments, UnusableArgument):
        return str(request.arguments)
    return ", ".join(f"{name} = {value!r}" for name, value in request.arguments.items()) or "none"


def _limits(request: Request, operation: Operation) -> str:
    written = {"agent": operation.rate.agent, "agent for customer": operation.rate.customer}
    limits = ", ".join(f"{rate} by {of}" for of, rate in written.items() if rate) or "none"
    if request.exceeded is None:
        return limits
    return f"{limits}; {request.exceeded.rate} by {request.exceeded.of} was used up"


_VALUES: Final[Mapping[str, Callable[[Request, Operation], str]]] = {
    "names an actor": lambda request, _: " for ".join((*request.token.actors, request.token.subject)),
    "actor": lambda request, operation: f"{request.token.actors[0]} in {sorted(operation.actors)}",
    "depth": lambda request, operation: f"{len(request.token.actors)} <= {operation.max_depth}",
    "scope": lambda request, operation: f"{operation.scope} in {request.token.scope}",
    "arguments": _arguments,
    "limits": _limits,
}
