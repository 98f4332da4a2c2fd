"""The calls of late in Redis or Valkey: several gateways count against the same limits."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable
from datetime import datetime
from typing import Final, cast

from valkey.asyncio import BlockingConnectionPool, Valkey
from valkey.exceptions import NoScriptError, ValkeyError

from delegation.health import NotReady
from gateway.rate import Exceeded, Key, Limit, LimitsUnavailable

_MAX_CONNECTIONS: Final = 64
_PATIENCE_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)

_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local empty_at, which, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local calls, period = tonumber(ARGV[2 * i - 1]), ARGV[2 * i] * 1000000
  local before = tonumber(redis.call('GET', key) or now)
  empty_at[i] = math.min(math.max(before, now), now + period) + period / calls
  local seconds = math.ceil((empty_at[i] - now - period - 1) / 1000000)
  if seconds > wait then which, wait = i, seconds end
end
if which == 0 then
  for i, key in ipairs(KEYS) do
    local lives = string.format('%d', math.ceil((empty_at[i] - now) / 1000))
    redis.call('SET', key, string.format('%.17g', empty_at[i]), 'PX', lives)
  end
end
return {which, wait}
"""
"""The algorithm of `gateway.rate.Limits`, in microseconds; a key is gone when it limits nobody any more.

The time is the server's. So all gateways count by one clock, and one whose own runs ahead has no more room.
"""
_SHA: Final = hashlib.sha1(_TAKE.encode()).hexdigest()  # noqa: S324 - the name that EVALSHA gives a script


class LimitsInRedis:
    """Limits that several gateways share: one round trip and one atomic script for each call that has any.

    When the server cannot be had, or does not answer within a second, nobody can tell whether there is room.
    A call whose answer was lost may have been counted: too much is counted then, and never too little.
    """

    def __init__(self, url: str, prefix: str) -> None:
        """Connect to nothing yet; gateways that share limits have the same `prefix` of keys.

        Raises:
            ValueError: the address is none; the text does not repeat it, for it may hold a password.
        """
        try:
            pool = BlockingConnectionPool.from_url(
                url, max_connections=_MAX_CONNECTIONS, timeout=_PATIENCE_SECONDS
            )
        except ValueError:
            raise ValueError("REDIS_URL must be like rediss://user:password@host:6379/0") from None
        self._redis = Valkey.from_pool(pool)
        self._prefix = prefix

    async def take(self, limits: list[Limit], now: datetime) -> Exceeded | None:  # noqa: ARG002 - see _TAKE
        """Count one more call, or return the limit that has no room for it.

        Raises:
            LimitsUnavailable: the server gave no answer, or one that is none to this.
        """
        keys = [self._name(key) for _, key, _ in limits]
        numbers = [number for _, _, rate in limits for number in (rate.calls, rate.seconds)]
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await self._run(keys, numbers)
        except (ValkeyError, OSError, TimeoutError) as error:
            # By its type only: an error's text may quote the address.
            _log.warning("calls cannot be counted against limits: %s", type(error).__name__)
            raise LimitsUnavailable(type(error).__name__) from error
        match answer:
            case [int(which), int(wait_seconds)] if 0 <= which <= len(limits):
                pass
            case _:
                _log.warning("calls cannot be counted against limits: the server's answer is none to that")
                raise LimitsUnavailable("not an answer")
        if not which:
            return None
        of, _, rate = limits[which - 1]
        return Exceeded(of, rate, wait_seconds)

    async def ready(self) -> None:
        """Pass if calls can be counted.

        Raises:
            NotReady: they cannot.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await cast("Awaitable[bool]", self._redis.ping())
        except (ValkeyError, OSError, TimeoutError) as error:
            raise NotReady(
                f"calls cannot be counted against limits ({type(error).__name__}), so operations that have "
                "one are refused: is Redis running, and REDIS_URL its address?"
            ) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose(close_connection_pool=True)

    async def _run(self, keys: list[str], numbers: list[int]) -> object:
        arguments = (*keys, *map(str, numbers))
        try:
            return await _answer(self._redis.evalsha(_SHA, len(keys), *arguments))
        except NoScriptError:  # the first call since the server was started
            return await _answer(self._redis.eval(_TAKE, len(keys), *arguments))

    def _name(self, key: Key) -> str:
        """Return a name that tells nobody whom it is about; the keys of a call are in one cluster slot."""
        operation, actor, kind, customer = key
        slot = hashlib.sha256(json.dumps([operation, actor]).encode()).hexdigest()
        return f"{self._prefix}{{{slot}}}:{kind}:{hashlib.sha256(customer.encode()).hexdigest()}"


async def _answer(answer: object) -> object:
    # The library has one type for the answers of its waiting and its asynchronous client.
    return await cast("Awaitable[object]", answer)
