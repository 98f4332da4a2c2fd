"""Refusals that come before or after the decision: for want of a token, of what decides, of a record."""

from delegation.bearer import BearerError
from gateway.decision import Deny, Permit


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


def deny_uncountable(operation: str) -> Deny:
    """Refuse a call of an operation with a limit, because nobody can count it now."""
    reason = f"{operation} has a limit, and the calls that count against it cannot be had."
    next_step = "Nothing was done. Send the call again shortly."
    return Deny(503, "limits-unavailable", reason, next_step, operation)
