"""A decision that was recorded, as a request that can be decided again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope
from delegation.token import AccessToken, Actor, DelegationToken
from gateway.arguments import UnusableArgument
from gateway.condition import Value
from gateway.decision import Decision, Deny, Permit, Request
from gateway.mcp_decision import deny_unknown_tool
from gateway.policy import Policy
from gateway.rate import Exceeded, Rate
from gateway.rest import Target, target_of

POLICYS_OWN: Final = frozenset(
    {
        "unknown-operation",
        "actor-required",
        "actor-not-allowed",
        "delegation-too-deep",
        "insufficient-scope",
        "unusable-argument",
        "condition-undecidable",
        "condition-not-met",
        "too-many-calls",
    }
)
"""The kinds of refusals that another policy could have decided otherwise."""


class CannotTell(Exception):
    """A record that does not hold what it would take to decide again; the text says what."""


def recorded_request(record: Mapping[str, Any]) -> Request:
    """Return the request that a record is about.

    Raises:
        CannotTell: no policy decided, or an argument was too long to be kept.
    """
    call = record.get("call")
    if not isinstance(call, dict) or record.get("sub") is None:
        raise CannotTell("no operation's rules were looked at")
    if call.get("left_out"):
        raise CannotTell(f"the record does not hold {', '.join(call['left_out'])}: too long to be kept")
    try:
        return _request(record, call)
    except (KeyError, TypeError, ValueError) as error:
        raise CannotTell("the record is not one of this gateway's") from error


def _request(record: Mapping[str, Any], call: Mapping[str, Any]) -> Request:
    details = call.get("authorization_details")
    common: Any = {
        "issuer": "",
        "subject": record["sub"],
        "audience": tuple(record["aud"]),
        "client_id": record["client_id"],
        "scope": Scope.parse(record["scope"]),
        "jti": record["jti"],
        "issued_at": datetime.fromtimestamp(call["iat"], UTC),
        "expires_at": datetime.fromtimestamp(call["exp"], UTC),
        "account_transfer": AccountTransfer.from_claim(details) if details else None,
    }
    actor = None
    for sub in reversed(record["act"]):
        actor = Actor(sub, actor)
    exceeded = call.get("exceeded")
    return Request(
        operation=record["operation"],
        token=DelegationToken(**common, act=actor) if actor else AccessToken(**common),
        now=datetime.fromisoformat(record["time"]),
        arguments=UnusableArgument(call["unusable"]) if "unusable" in call else call.get("arguments", {}),
        exceeded=Exceeded(exceeded["of"], Rate.parse(exceeded["rate"]), exceeded["wait_seconds"])
        if exceeded
        else None,
    )


def under(policy: Policy, record: Mapping[str, Any]) -> Request | Deny:
    """Return a recorded request as another policy would have it: its operation and its arguments there.

    Limits count as they did: who had used up one then has used it up here.

    Raises:
        CannotTell: the policy asks for what the record does not hold.
    """
    request = recorded_request(record)
    found = _operation(policy, record)
    if isinstance(found, Deny):
        return found
    declared = policy.operations[found.operation].arguments
    if isinstance(request.arguments, UnusableArgument):
        return _with(request, found.operation, request.arguments if declared else {})
    arguments: dict[str, Any] = {}
    for name, argument in declared.items():
        in_path = argument.place == "path" and bool(found.parameters)
        if not in_path and name not in request.arguments:
            raise CannotTell(f"the record does not hold the argument {name}")
        value = found.parameters[argument.name or name] if in_path else request.arguments[name]
        was_text = in_path or (argument.place == "query" and "tool" not in record["call"])
        try:
            # Its type here may be another than the one that it was recorded with.
            arguments[name] = argument.of_text(_text(value)) if was_text else argument.of_json(value)
        except UnusableArgument as error:
            return _with(request, found.operation, UnusableArgument(f"The argument {name} {error}."))
    return _with(request, found.operation, arguments)


def _operation(policy: Policy, record: Mapping[str, Any]) -> Target | Deny:
    """Return the operation that a recorded call is in this policy, and its path's parameters."""
    method, path, tool = record["call"].get("method"), record.get("resource"), record["call"].get("tool")
    if tool is not None:
        if tool not in policy.tools:
            return deny_unknown_tool()
        operation = policy.operations[policy.tools[tool]]
        if operation.path is None:
            return Target(policy.tools[tool], {})
        method = operation.method
    if method is None or path is None or "..." in path:
        raise CannotTell("the record does not hold method and path whole")
    return target_of(policy, method, path.encode())


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with(request: Request, operation: str, arguments: Any) -> Request:  # noqa: ANN401 - as Request has it
    return Request(operation, request.token, request.now, arguments, request.exceeded)


def outcome(decision: Decision) -> tuple[str, str | None]:
    """Return what a record keeps of a decision: permit or deny, and the refusal's or observation's kind."""
    if isinstance(decision, Permit):
        return "permit", f"observed {decision.observed.kind}" if decision.observed else None
    return "deny", decision.kind


def recorded_outcome(record: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the same of a record."""
    call = record.get("call") or {}
    if record["decision"] == "permit":
        return "permit", f"observed {call['observed']}" if call.get("observed") else None
    return "deny", call.get("kind")
