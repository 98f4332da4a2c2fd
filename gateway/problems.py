"""What a caller is told when the call does not reach its end, as problem details (RFC 9457)."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from delegation.problem import Problem
from gateway.decision import Deny, Permit
from gateway.refusals import deny_unverifiable
from gateway.request_body import UnusableBody
from gateway.upstream import UpstreamFault

_BASE: Final = "https://delegation-bank.example/problems/"
_RETRY_AFTER_SECONDS: Final = "2"


def refused(deny: Deny, decision: Mapping[str, str], resource_metadata_url: str) -> Response:
    """Answer a denied call; `decision` holds the headers that say what was decided."""
    headers = refusal_headers(deny, decision, resource_metadata_url)
    return _problem(deny.status, deny.kind, deny.reason, deny.next_step, deny.operation, headers)


def refusal_headers(deny: Deny, decision: Mapping[str, str], resource_metadata_url: str) -> dict[str, str]:
    """Return the fields of the answer to a denied call, in whatever form its body is."""
    headers = {**decision, "cache-control": "no-store"}
    if deny.challenge is not None:
        headers["www-authenticate"] = deny.challenge.challenge(resource_metadata_url)
    if deny.allow:
        headers["allow"] = ", ".join(deny.allow)
    if deny.retry_after_seconds is not None:
        headers["retry-after"] = str(deny.retry_after_seconds)
    elif deny.status == 503:
        headers["retry-after"] = _RETRY_AFTER_SECONDS
    return headers


def unanswered(fault: UpstreamFault | UnusableBody, permit: Permit, decision: Mapping[str, str]) -> Response:
    """Answer a permitted call that got no answer from the resource."""
    headers = {**decision, "cache-control": "no-store"}
    return _problem(fault.status, fault.kind, fault.reason, fault.next_step, permit.operation, headers)


async def no_policy(_request: Request, _error: Exception) -> Response:
    """Answer a request for a document that is made from the policy, while there is none."""
    return refused(deny_unverifiable("The policy"), {}, "")


def _problem(
    status: int, kind: str, reason: str, next_step: str, operation: str | None, headers: dict[str, str]
) -> Response:
    return Problem(
        status,
        f"{reason} {next_step}",
        kind=_BASE + kind,
        title=kind.replace("-", " ").capitalize(),
        headers=headers,
        reason=reason,
        operation=operation,
        decision_id=headers.get("decision-id"),
    ).response()
