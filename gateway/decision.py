"""The decision on one call: a pure function of policy, token and request line."""

from dataclasses import dataclass

from delegation.bearer import BearerError, InsufficientScope
from delegation.token import AccessToken, DelegationToken
from gateway.path_template import UnsafePath, path_segments
from gateway.policy import Policy


@dataclass(frozen=True, slots=True)
class Permit:
    """The call may go on to the resource as this operation."""

    operation: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The call ends here.

    `status` is the HTTP status, `kind` the last part of the problem's type, `next_step` what the caller can
    do. `operation` is None where there is none or the caller may not learn it. `challenge` is what RFC 6750
    has to say, `allow` the methods that the path takes (RFC 9110 §15.5.6).
    """

    status: int
    kind: str
    reason: str
    next_step: str
    operation: str | None = None
    challenge: BearerError | None = None
    allow: tuple[str, ...] = ()


Decision = Permit | Deny


def decide(policy: Policy, token: AccessToken, method: str, path: bytes) -> Decision:
    """Decide on a call whose token is verified for the policy's audience; `path` is the raw one.

    Actor and scope are the outermost `act` and the top-level claims, nothing else (RFC 8693 §4.1). Left to
    the resource: whether the customer owns what the path names.
    """
    try:
        operations = policy.routes.at(path_segments(path))
    except UnsafePath as error:
        return Deny(
            400, "unsafe-path", str(error), "Send plain segments: no %, no ;, none empty, no dots alone."
        )
    if not operations:
        return Deny(404, "unknown-path", "No operation stands at this path.", "See /openapi.json.")
    if method not in operations:
        allow = tuple(sorted(operations))
        reason = f"No operation stands at this path for {method}."
        return Deny(405, "method-not-allowed", reason, f"It takes {', '.join(allow)}.", allow=allow)
    return _decide_operation(policy, token, operations[method])


def _decide_operation(policy: Policy, token: AccessToken, name: str) -> Decision:
    operation = policy.operations[name]
    if not isinstance(token, DelegationToken):
        reason = "This door is for agents that act for a customer, and the token names no actor."
        return Deny(403, "actor-required", reason, "Exchange for a delegation token (RFC 8693).", name)
    if token.act.sub not in operation.actors:
        reason = f"The policy does not let this actor do {name}."
        return Deny(403, "actor-not-allowed", reason, "Ask the owner of the resource to allow it.", name)
    if not operation.scope <= token.scope:
        reason = f"{name} needs the scope {operation.scope}."
        challenge = InsufficientScope(reason, operation.scope)
        return Deny(403, "insufficient-scope", reason, "Exchange for a token that has it.", name, challenge)
    return Permit(name, f"{token.act.sub} may do {name}, and the token has the scope {operation.scope}.")


def deny_token(error: BearerError) -> Deny:
    """Refuse a call for want of a good token: before anything about the call itself is looked at."""
    kind = (error.error or "missing_token").replace("_", "-")
    next_step = "Send a delegation token as Bearer; /.well-known/oauth-protected-resource says who issues it."
    return Deny(error.status, kind, error.description, next_step, challenge=error)


def deny_unverifiable(lacking: str) -> Deny:
    """Refuse a call that nobody can decide on now: without keys or policy the answer is no."""
    return Deny(503, "temporarily-unavailable", f"{lacking} cannot be had.", "Send the call again shortly.")


def deny_unrecordable(permit: Permit, reason: str) -> Deny:
    """Refuse a call that may be made, because the decision cannot be recorded."""
    next_step = "Nothing was done. Send the call again shortly."
    return Deny(503, "decision-not-recorded", reason, next_step, permit.operation)
