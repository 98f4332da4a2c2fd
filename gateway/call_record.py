"""The record of a decision: enough to explain it and to decide it again, and nothing that is a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from starlette.types import Scope

from delegation.record import Record, of_token
from delegation.token import AccessToken
from gateway.arguments import UnusableArgument
from gateway.condition import Value
from gateway.decision import Decision, Deny, Permit, Request

STEP: Final = 5
_MAX_RECORDED_PATH: Final = 256
_LONGEST_RECORDED_TEXT: Final = 36
"""Characters that a record keeps of a path, and of a segment or an argument: the caller chooses them, and no
token is so short."""


class Decided(NamedTuple):
    """A decision and what it was made from; `request` is None where it did not come to an operation."""

    decision: Decision
    token: AccessToken | None = None
    policy_version: str | None = None
    request: Request | None = None


def decision_record(decided: Decided, scope: Scope, now: datetime) -> Record:
    """Return the record of the decision on one REST call."""
    return record_of(decided, now, scope["raw_path"].decode("latin-1"), {"method": scope.get("method")})


def record_of(decided: Decided, now: datetime, resource: str, call: Mapping[str, str | None]) -> Record:
    """Return the record of a decision on a resource, a path; `call` says by which protocol's call."""
    decision, token, request = decided.decision, decided.token, decided.request
    return Record(
        service="gateway",
        step=STEP,
        decision="permit" if isinstance(decision, Permit) else "deny",
        reason=decision.reason,
        operation=decision.operation or "unknown",
        # Without a good token the path is anybody's text, and a record is no place to write on.
        resource=_recordable(resource) if token is not None else None,
        time=request.now if request else now,
        policy_version=decided.policy_version or None,
        call={**call, **recorded_call(decision, request)} if request is not None else None,
        **of_token(token),
    )


def recorded_call(decision: Decision, request: Request) -> dict[str, Any]:
    """Return what the decision looked at and its record says nowhere else."""
    found: dict[str, Any] = dict(request.token.call_members)
    if isinstance(decision, Deny):
        found["kind"] = decision.kind
    elif decision.observed is not None:
        found["observed"] = decision.observed.kind
    if request.exceeded is not None:
        one = request.exceeded
        found["exceeded"] = {"of": one.of, "rate": str(one.rate), "wait_seconds": one.wait_seconds}
    if isinstance(request.arguments, UnusableArgument):
        found["unusable"] = str(request.arguments)
    elif request.arguments:
        kept = {name: one for name, one in request.arguments.items() if not _long(one)}
        left_out = [name for name in request.arguments if name not in kept]
        found |= {name: some for name, some in (("arguments", kept), ("left_out", left_out)) if some}
    return found


def _long(value: Value) -> bool:
    return isinstance(value, str) and len(value) > _LONGEST_RECORDED_TEXT


def _recordable(path: str) -> str:
    """Return a path without any segment that could be a secret in the wrong place."""
    if len(path) <= _LONGEST_RECORDED_TEXT:
        return path
    segments = path.split("/")
    kept = "/".join(one if len(one) <= _LONGEST_RECORDED_TEXT else "..." for one in segments)
    return kept[:_MAX_RECORDED_PATH]
