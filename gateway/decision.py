"""The decision on one call: a pure function of policy and request, the same for every protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from delegation.bearer import BearerError, InsufficientScope
from delegation.token import AccessToken, DelegationToken
from gateway.arguments import UnusableArgument
from gateway.condition import Facts, Undecidable, Value
from gateway.policy import Operation, Policy
from gateway.rate import Exceeded


class Request(NamedTuple):
    """What is decided on: an operation's name, under whose authority, with what, and when.

    `token` is verified for the policy's audience. `arguments` are those that the policy declares, or why
    they cannot be had. `now` is aware UTC. `exceeded` is the limit that has no room for this call.
    """

    operation: str
    token: AccessToken
    now: datetime
    arguments: Mapping[str, Value] | UnusableArgument
    exceeded: Exceeded | None = None


@dataclass(frozen=True, slots=True)
class Deny:
    """The call ends here.

    `status` is the HTTP status, `kind` the last part of the problem's type, `next_step` what the caller can
    do. `operation` is None where there is none or the caller may not learn it. `challenge` is what RFC 6750
    has to say, `allow` the methods that the path takes (RFC 9110 §15.5.6), `retry_after_seconds` when it may
    be worth another try.
    """

    status: int
    kind: str
    reason: str
    next_step: str
    operation: str | None = None
    challenge: BearerError | None = None
    allow: tuple[str, ...] = ()
    retry_after_seconds: int | None = None


class Permit(NamedTuple):
    """The call may go on to the resource as this operation.

    `observed` is the refusal that the operation's conditions would have been, were they enforced.
    """

    operation: str
    reason: str
    observed: Deny | None = None


Decision = Permit | Deny


class Rule(NamedTuple):
    """One thing that a request must pass, and what it is called when a decision is explained."""

    name: str
    refusal: Callable[[Request, Operation], Deny | None]


def decide(policy: Policy, request: Request) -> Decision:
    """Decide on a request: permit if every rule lets it pass: of the token, the conditions, the limits.

    Actor and scope are the outermost `act` and the top-level claims, nothing else (RFC 8693 §4.1). Left to
    the resource: whether the customer owns what the call names.
    """
    refusal = refusal_of_token(policy, request)
    if refusal is not None:
        return refusal
    operation = policy.operations[request.operation]
    observed = None
    for rule in CONDITION_RULES:
        refusal = rule.refusal(request, operation)
        if refusal is not None and operation.mode == "enforce":
            return refusal
        observed = observed or refusal
    refusal = LIMIT_RULE.refusal(request, operation)
    if refusal is not None:
        return refusal
    name, actor = request.operation, request.token.actors[0]
    reason = f"{actor} may do {name}, and the token has the scope {operation.scope}."
    if observed is not None:
        reason = f"{reason} Observed only, and not enforced: {observed.reason}"
    return Permit(name, reason, observed)


def refusal_of_token(policy: Policy, request: Request) -> Deny | None:
    """Refuse a request for what its token says alone: before anybody looks at arguments or reads a body."""
    operation = policy.operations.get(request.operation)
    if operation is None:
        reason = "The policy has no such operation."
        return Deny(404, "unknown-operation", reason, "See /openapi.json for those it has.")
    for rule in TOKEN_RULES:
        refusal = rule.refusal(request, operation)
        if refusal is not None:
            return refusal
    return None


def _names_an_actor(request: Request, _operation: Operation) -> Deny | None:
    if isinstance(request.token, DelegationToken):
        return None
    reason = "This door is for agents that act for a customer, and the token names no actor."
    next_step = "Exchange for a delegation token (RFC 8693)."
    return Deny(403, "actor-required", reason, next_step, request.operation)


def _actor_is_allowed(request: Request, operation: Operation) -> Deny | None:
    if request.token.actors[0] in operation.actors:
        return None
    reason = f"The policy does not let this actor do {request.operation}."
    next_step = "Ask the owner of the resource to allow it."
    return Deny(403, "actor-not-allowed", reason, next_step, request.operation)


def _chain_is_short(request: Request, operation: Operation) -> Deny | None:
    if len(request.token.actors) <= operation.max_depth:
        return None
    reason = f"{request.operation} may be delegated over {operation.max_depth} actors at most."
    next_step = "Have it done by an agent that is nearer to the customer."
    return Deny(403, "delegation-too-deep", reason, next_step, request.operation)


def _scope_suffices(request: Request, operation: Operation) -> Deny | None:
    if operation.scope <= request.token.scope:
        return None
    reason = f"{request.operation} needs the scope {operation.scope}."
    challenge = InsufficientScope(reason, operation.scope)
    next_step = "Exchange for a token that has it."
    return Deny(403, "insufficient-scope", reason, next_step, request.operation, challenge)


def _arguments_are_usable(request: Request, _operation: Operation) -> Deny | None:
    if not isinstance(request.arguments, UnusableArgument):
        return None
    next_step = "Nothing was done. Send the call with what its description says."
    return Deny(422, "unusable-argument", str(request.arguments), next_step, request.operation)


def _conditions_hold(request: Request, operation: Operation) -> Deny | None:
    if isinstance(request.arguments, UnusableArgument):
        return None  # the rule before has refused it
    facts = Facts(request.token, request.arguments, request.now)
    for condition, expression in zip(operation.conditions, operation.compiled, strict=True):
        try:
            if expression.holds(facts):
                continue
        except Undecidable:
            next_step = "Ask the owner of the resource: the gateway's policy explain says what failed."
            reason = "A condition of the policy cannot be decided for this call."
            return Deny(403, "condition-undecidable", reason, next_step, request.operation)
        next_step = "Nothing was done. Change the call, or leave it to the customer."
        return Deny(403, "condition-not-met", condition.otherwise, next_step, request.operation)
    return None


def _within_limits(request: Request, _operation: Operation) -> Deny | None:
    exceeded = request.exceeded
    if exceeded is None:
        return None
    reason = f"{request.operation} may be done {exceeded.rate} by {exceeded.of}, and that is used up."
    next_step = f"Send it again after {exceeded.wait_seconds} seconds."
    return Deny(
        429, "too-many-calls", reason, next_step, request.operation, retry_after_seconds=exceeded.wait_seconds
    )


TOKEN_RULES: Final[tuple[Rule, ...]] = (
    Rule("names an actor", _names_an_actor),
    Rule("actor", _actor_is_allowed),
    Rule("depth", _chain_is_short),
    Rule("scope", _scope_suffices),
)
CONDITION_RULES: Final[tuple[Rule, ...]] = (
    Rule("arguments", _arguments_are_usable),
    Rule("conditions", _conditions_hold),
)
LIMIT_RULE: Final = Rule("limits", _within_limits)
