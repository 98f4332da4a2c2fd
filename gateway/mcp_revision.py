"""The revisions of MCP that are served here, and what each lets a client ask for."""

from typing import Final

MODERN: Final = "2026-07-28"
"""The revision in which every request stands for itself: `_meta` says its version, headers repeat it."""

SERVED: Final = (MODERN, "2025-11-25", "2025-06-18")
"""Newest first. The older ones begin with `initialize`; both are served without sessions."""

LIST: Final = "tools/list"
CALL: Final = "tools/call"
INITIALIZE: Final = "initialize"

_REQUESTS: Final = {
    True: frozenset({"server/discover", LIST, CALL}),
    False: frozenset({INITIALIZE, "ping", LIST, CALL}),
}
_NOTIFICATIONS: Final = frozenset({"notifications/initialized", "notifications/cancelled"})


def is_let_through(method: str, *, modern: bool, notification: bool) -> bool:
    """Tell whether a method may pass: what is not named here is not implemented here."""
    return method in (_NOTIFICATIONS if notification else _REQUESTS[modern])
