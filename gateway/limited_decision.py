"""The decision and the count against limits, in one step that nothing can come between."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from delegation.token import AccessToken
from gateway.arguments import UnusableArgument
from gateway.condition import Value
from gateway.decision import Decision, Permit, Request, decide
from gateway.policy import Policy
from gateway.rate import Exceeded, Limit, LimitsUnavailable, limits_of
from gateway.refusals import deny_uncountable


class CountedCalls(Protocol):
    """The calls of late that count against limits, wherever they are kept."""

    async def take(self, limits: list[Limit], now: datetime) -> Exceeded | None:
        """Count one more call against each limit, or against none if one has no room: return that one.

        Between the look and the count no other call is counted, of this gateway or of another.

        Raises:
            LimitsUnavailable: nobody can tell now.
        """
        ...


async def decided_and_counted(
    policy: Policy,
    counted_calls: CountedCalls,
    operation: str,
    token: AccessToken,
    now: datetime,
    arguments: Mapping[str, Value] | UnusableArgument,
) -> tuple[Request, Decision]:
    """Decide on a call of one of the policy's operations, and count it if it is permitted.

    The limits come last: only a call that everything else permits is counted, or looks at the count at all.
    """
    request = Request(operation, token, now, arguments)
    decision = decide(policy, request)
    rate = policy.operations[operation].rate
    if not isinstance(decision, Permit) or (rate.agent is None and rate.customer is None):
        return request, decision
    limits = limits_of(operation, rate.agent, rate.customer, token)
    try:
        exceeded = await counted_calls.take(limits, now)
    except LimitsUnavailable:
        return request, deny_uncountable(operation)
    if exceeded is not None:
        request = request._replace(exceeded=exceeded)
        decision = decide(policy, request)
    return request, decision
