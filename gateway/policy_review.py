"""What a sound policy says and probably does not mean: rules and scopes that decide nothing."""

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any, Final

from delegation.clock import utc_now
from delegation.scope import Scope
from delegation.token import Actor, DelegationToken
from gateway.condition import Facts, Undecidable
from gateway.policy import Operation, Policy
from gateway.yaml_lines import Fault, Location, YamlDocument

_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})


def unknown_scopes(policy: Policy | None, document: YamlDocument) -> list[Fault]:
    """Return a fault for each scope that an operation needs and that `scopes`, where given, does not name."""
    if policy is None or policy.scopes is None:
        return []
    return [
        Fault(
            document.line(("operations", name, "scope")), f"operations.{name}.scope: {scope} is not in scopes"
        )
        for name, operation in policy.operations.items()
        for scope in sorted(operation.scope - policy.scopes)
    ]


def warnings(
    policy: Policy, document: YamlDocument, resource: Mapping[str, Any] | None = None
) -> list[Fault]:
    """Return what in a sound policy decides nothing, in the order of its lines.

    `resource` is the OpenAPI document of the resource behind the gateway: what it serves and the policy does
    not name can be called by nobody, and what it does not serve need not be named.
    """
    found = chain(
        _unneeded_scopes(policy),
        *(_idle_rules(name, operation) for name, operation in policy.operations.items()),
        _differences(policy, resource) if resource is not None else (),
    )
    placed = (Fault(document.line(location), _text(location, reason)) for location, reason in found)
    return sorted(set(placed))


Finding = tuple[Location, str]


def _text(location: Location, reason: str) -> str:
    return f"{'.'.join(map(str, location))}: {reason}"


def _unneeded_scopes(policy: Policy) -> Iterator[Finding]:
    for scope in sorted((policy.scopes or Scope()) - policy.scope):
        yield ("scopes",), f"no operation needs {scope}"


def _idle_rules(name: str, operation: Operation) -> Iterator[Finding]:
    here: Location = ("operations", name)
    for argument in operation.arguments:
        if not any(one.reads(argument) for one in operation.compiled):
            yield (*here, "arguments", argument), "no condition looks at it, and a call without it is refused"
    if operation.tool is not None and operation.tool_sha256 is None:
        reason = f"nobody may call it: accept its definition with `tools accept {operation.tool}`"
        yield (*here, "tool"), reason
    agent, customer = operation.rate.agent, operation.rate.customer
    if agent and customer and customer.calls >= agent.calls and customer.seconds <= agent.seconds:
        yield (*here, "rate", "customer"), f"is never reached: {agent} of the agent is used up before"
    seen: set[str] = set()
    for number, (condition, expression) in enumerate(
        zip(operation.conditions, operation.compiled, strict=True)
    ):
        place = (*here, "conditions", number, "require")
        if condition.require in seen:
            yield place, "is never reached: the same condition stands above"
        seen.add(condition.require)
        if expression.is_constant:
            holds = _holds(operation, number)
            yield place, "always holds, and refuses nothing" if holds else "never holds: nobody may do this"
            if not holds and number + 1 < len(operation.conditions):
                yield (*here, "conditions", number + 1), "is never reached: the condition above never holds"


def _holds(operation: Operation, number: int) -> bool:
    now = utc_now()
    token = DelegationToken("", "", (), "", Scope(), "", now, now, act=Actor(""))
    try:
        return operation.compiled[number].holds(Facts(token, {}, now))
    except Undecidable:
        return False


def _differences(policy: Policy, resource: Mapping[str, Any]) -> Iterator[Finding]:
    served = set(_routes(resource))
    named = {
        (one.method, _shape(str(one.path))): name
        for name, one in policy.operations.items()
        if one.method is not None and one.path is not None
    }
    for method, path in sorted(served):
        if (method, _shape(path)) not in named:
            also = sorted(name for (of, shape), name in named.items() if of == method and _meet(shape, path))
            if also:
                reason = f"also lets pass {method} {path}, which the resource serves as something else"
                yield ("operations", also[0], "path"), reason
            else:
                yield ("operations",), f"no operation stands for {method} {path}, which the resource serves"
    shapes = {(method, _shape(path)) for method, path in served}
    for (method, shape), name in named.items():
        if (method, shape) not in shapes:
            template = policy.operations[name].path
            yield ("operations", name, "path"), f"the resource does not serve {method} {template}"


def _routes(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    paths = resource.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in item if isinstance(item, dict) else ():
            if method in _METHODS:
                yield method.upper(), path


def _meet(one: str, two: str) -> bool:
    """Tell whether some path is both, parameters being any segment."""
    pairs = list(zip_longest(one.split("/"), two.split("/")))
    return all(a == b or (a and b and "{" in (a[0], b[0])) for a, b in pairs)


def _shape(path: str) -> str:
    """Return a path without the names of its parameters, which are each document's own."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
