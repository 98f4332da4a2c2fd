"""The tools that the MCP server behind the gateway has now, and which of them a person has accepted."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from gateway.policy import Operation, Policy
from gateway.tool_definition import ToolDefinition
from gateway.tool_store import ToolStore
from gateway.upstream import UpstreamFault

State = Literal["accepted", "not pinned", "changed", "not seen", "unusable"]
Listing = Callable[[], Awaitable[Sequence[ToolDefinition]]]

_RETRY_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


def state_of(operation: Operation, seen: ToolDefinition | None) -> State:
    """Tell what is to be thought of an operation's tool; only one that is `accepted` may be called."""
    if seen is None:
        return "not seen"
    if operation.tool_sha256 is None:
        return "not pinned"
    if seen.sha256 != operation.tool_sha256:
        return "changed"
    return "accepted" if seen.fault is None else "unusable"


class ToolRegistry:
    """What the server listed last. It is asked with the token of whoever calls, by one call at a time.

    A tool that a listing leaves out keeps the definition it was last seen with: a server may list for each
    caller only what that one may call. When the server cannot be asked again, what it listed before holds.
    """

    def __init__(
        self, store: ToolStore, refresh_seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._monotonic = monotonic
        self._seen: dict[str, ToolDefinition] = {}
        self._told: dict[str, str] = {}
        self._listed_at = -math.inf
        self._tried_at = -math.inf
        self._fault: UpstreamFault | None = None
        self._one = asyncio.Lock()

    async def look(self, policy: Policy, listing: Listing, tool: str | None = None) -> None:
        """Have the tools listed, unless that was done of late; `tool` is one that must have been seen.

        Raises:
            UpstreamFault: they cannot be had, and nothing is known of them (of `tool`).
        """
        unseen = tool is not None and tool not in self._seen
        if unseen or self._is_due(tool):
            async with self._one:
                if self._is_due(tool):
                    await self._list(policy, listing)
        known = bool(self._seen) if tool is None else tool in self._seen
        if self._fault is not None and not known:
            raise self._fault

    def seen(self, tool: str) -> ToolDefinition | None:
        """Return the definition that a tool was last seen with."""
        return self._seen.get(tool)

    def accepted(self, policy: Policy, tool: str) -> ToolDefinition | None:
        """Return a tool's definition if it is the one that the policy accepts."""
        seen = self._seen.get(tool)
        state = state_of(policy.operations[policy.tools[tool]], seen)
        return seen if state == "accepted" else None

    def quarantined(self, policy: Policy) -> dict[str, State]:
        """Return the policy's tools that were seen and may not be called."""
        states = {
            tool: state_of(policy.operations[name], self.seen(tool)) for tool, name in policy.tools.items()
        }
        return {tool: state for tool, state in states.items() if state not in {"accepted", "not seen"}}

    def _is_due(self, tool: str | None) -> bool:
        # While one call asks, and for a moment after, the others go on with what is known.
        now = self._monotonic()
        old = now >= self._listed_at + self._refresh_seconds
        unseen = tool is not None and tool not in self._seen
        return (old or unseen) and now >= self._tried_at + _RETRY_SECONDS

    async def _list(self, policy: Policy, listing: Listing) -> None:
        self._tried_at = self._monotonic()
        try:
            listed = await listing()
        except UpstreamFault as fault:
            self._fault = fault
            _log.warning("the tools cannot be listed: %s", fault.reason)
        else:
            self._fault, self._listed_at = None, self._monotonic()
            await self._take(policy, listed)

    async def _take(self, policy: Policy, listed: Sequence[ToolDefinition]) -> None:
        for definition in listed:
            if definition.name not in policy.tools:
                continue
            before = self._seen.get(definition.name)
            self._seen[definition.name] = definition
            if before is None or before.sha256 != definition.sha256:
                await asyncio.to_thread(self._store.keep, definition)
        for tool, state in self.quarantined(policy).items():
            sha256 = self._seen[tool].sha256
            if self._told.get(tool) != sha256:
                self._told[tool] = sha256
                _log.warning(
                    "tool %s is in quarantine (%s): look with `tools show %s`, definition %s",
                    *(tool, state, tool, sha256),
                )
