"""What the gateway needs: policy, keys, news of ended tokens, records, counts, a resource that answers."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

from delegation.event_receiver import EventReceiver
from delegation.health import Check, NotReady
from delegation.jwks import RemoteKeySet
from gateway.decision_log import DecisionLog
from gateway.limits_in_redis import LimitsInRedis
from gateway.policy_file import PolicyFile, UnsoundPolicy
from gateway.tool_registry import ToolRegistry
from gateway.upstream import Upstream, UpstreamFault

_PATIENCE_SECONDS: Final = 2.0
"""Less than what those who ask for readiness wait themselves."""


def checks(
    policy: PolicyFile,
    keys: RemoteKeySet,
    upstream: Upstream | None,
    receiver: EventReceiver | None,
    decisions: DecisionLog,
    redis: LimitsInRedis | None,
) -> dict[str, Check]:
    """Return the readiness checks by name; without an upstream or a Redis none of those."""

    async def policy_sound() -> None:
        try:
            policy.current()
        except UnsoundPolicy as error:
            raise NotReady(str(error)) from error

    async def keys_had() -> None:
        if not await keys.ready():
            raise NotReady(f"the keys at {keys.jwks_uri} cannot be had: is the authorization server running?")

    async def upstream_answers(upstream: Upstream) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), upstream.answer("GET", "/healthz"):
                pass
        except (UpstreamFault, TimeoutError) as error:
            raise NotReady(
                "the resource does not answer: is it running, and UPSTREAM_URL its address?"
            ) from error

    async def calls_counted(redis: LimitsInRedis) -> None:
        with suppress(UnsoundPolicy):  # which is another check's
            if policy.current().has_limits:
                await redis.ready()

    found: dict[str, Check] = {"policy": policy_sound, "keys": keys_had, "records": decisions.ready}
    if upstream:
        found["upstream"] = partial(upstream_answers, upstream)
    if receiver:
        found["security events"] = receiver.ready
    if redis:
        found["limits"] = partial(calls_counted, redis)
    return found


def warnings(policy: PolicyFile, tools: ToolRegistry) -> dict[str, Check]:
    """Return what does not keep the gateway from its work, and somebody must see to all the same."""

    async def policy_is_the_files() -> None:
        if policy.refused is not None:
            raise NotReady(
                f"the changed file is refused, and the policy before it is in force: {policy.refused}"
            )

    async def tools_are_accepted() -> None:
        found = tools.quarantined(policy.current())
        if found:
            named = ", ".join(f"{tool} ({state})" for tool, state in found.items())
            raise NotReady(f"in quarantine, and called by nobody: {named}; see `python -m gateway tools`")

    return {"policy": policy_is_the_files, "tools": tools_are_accepted}
