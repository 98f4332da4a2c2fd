"""Response header fields: what of the resource's answer goes back to the caller."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gateway.decision import Decision, Permit

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# A cookie or an MCP session would be a session beside the token; what names the software helps nobody but an
# attacker; the date is our server's to set; and only we say what we decided.
OURS: Final = frozenset(
    {
        b"date",
        b"decision",
        b"decision-id",
        b"mcp-session-id",
        b"server",
        b"set-cookie",
        b"set-cookie2",
        b"x-powered-by",
    }
)
_DROPPED: Final = _HOP_BY_HOP | OURS


def returned(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the end-to-end fields of the resource's answer (RFC 9110 §7.6.1); names in lower case."""
    dropped = _DROPPED
    options = [option for name, value in headers if name == b"connection" for option in value.split(b",")]
    if options:
        dropped = dropped | {option.strip().lower() for option in options}
    return [field for field in headers if field[0] not in dropped]


def decision_headers(decision: Decision, decision_id: str) -> dict[str, str]:
    """Return the fields that tell a caller what was decided, as an item with parameters (RFC 9651 §3.3)."""
    item = _item("permit" if isinstance(decision, Permit) else "deny", decision.operation, decision.reason)
    return {"decision-id": decision_id, "decision": item}


@lru_cache(maxsize=1000)
def _item(item: str, operation: str | None, reason: str) -> str:
    parameters = {"operation": operation, "reason": reason}
    return item + "".join(f";{name}={_sf_string(value)}" for name, value in parameters.items() if value)


def _sf_string(text: str) -> str:
    """Write a string as RFC 9651 §4.1.6 has it; what is not printable ASCII becomes `?`."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
