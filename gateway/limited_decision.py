"""The decision and the count against limits, in one step that nothing can come between."""

from collections.abc import Mapping
from datetime import datetime

from delegation.token import AccessToken
from gateway.arguments import UnusableArgument
from gateway.condition import Value
from gateway.decision import Decision, Permit, Request, decide
from gateway.policy import Policy
from gateway.rate import Limits, limits_of


def decided_and_counted(
    policy: Policy,
    limits: Limits,
    operation: str,
    token: AccessToken,
    now: datetime,
    arguments: Mapping[str, Value] | UnusableArgument,
) -> tuple[Request, Decision]:
    """Decide on a call of one of the policy's operations, and count it if it is permitted.

    Nothing here waits, so that no other call is counted between the look at a limit and the count.
    """
    rate = policy.operations[operation].rate
    counted = limits_of(operation, rate.agent, rate.customer, token)
    request = Request(operation, token, now, arguments, limits.exceeded(counted, now))
    decision = decide(policy, request)
    if isinstance(decision, Permit):
        limits.count(counted, now)
    return request, decision
