"""One JSON-RPC message of MCP as it arrives: a request or a notification, with one reading."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.decision import Deny
from gateway.strict_json import Ambiguous, NotJson, json_text, strict_json

_MEMBERS: Final = frozenset({"jsonrpc", "id", "method", "params"})
_LONGEST_ID: Final = 128
_LONGEST_METHOD: Final = 64
_SAFE_INTEGERS: Final = range(-(2**53) + 1, 2**53)

Id = str | int
NEXT_STEP: Final = "Send one JSON-RPC 2.0 request or notification of MCP."


class Refused(Exception):
    """A message that goes no further; `deny` says why, `id` is its own if it could be read."""

    def __init__(self, deny: Deny, id_: Id | None = None) -> None:
        super().__init__(deny.reason)
        self.deny = deny
        self.id = id_


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or a notification: then `id` is None. `params` may be empty."""

    id: Id | None
    method: str
    params: Mapping[str, Any]

    @property
    def meta(self) -> Mapping[str, Any]:
        """Return `_meta`; empty where there is none."""
        meta: Mapping[str, Any] = self.params.get("_meta", {})
        return meta

    def with_meta(self, meta: Mapping[str, Any]) -> "Message":
        """Return the message with another `_meta`."""
        return replace(self, params={**self.params, "_meta": dict(meta)})

    def text(self) -> bytes:
        """Write the message: what is sent on is what was read, and no other reading of it."""
        members = {"jsonrpc": "2.0", "id": self.id, "method": self.method, "params": self.params}
        return json_text(
            {name: value for name, value in members.items() if name != "id" or value is not None}
        )


def parse(body: bytes) -> Message:
    """Read a message.

    Raises:
        Refused: it is none, is several, or could be read in two ways.
    """
    try:
        document = strict_json(body)
    except NotJson as error:
        raise Refused(Deny(400, "not-json", f"The body {error}.", NEXT_STEP)) from None
    except Ambiguous as error:
        raise _invalid(f"The body {error}.") from None
    if isinstance(document, list):
        raise _invalid("The body is a batch, which MCP does not have.")
    if not isinstance(document, dict):
        raise _invalid("The body is no JSON object.")
    id_ = _id(document)
    if document.get("jsonrpc") != "2.0" or not _MEMBERS.issuperset(document):
        raise _invalid("The body is no JSON-RPC 2.0 request or notification, or has more in it.", id_)
    method, params = document.get("method"), document.get("params", {})
    if not isinstance(method, str) or not 0 < len(method) <= _LONGEST_METHOD:
        raise _invalid("The method is missing, too long, or no text.", id_)
    if not isinstance(params, dict) or not isinstance(params.get("_meta", {}), dict):
        raise _invalid("params, or its _meta, is no object.", id_)
    return Message(id_, method, params)


def _id(document: Mapping[str, Any]) -> Id | None:
    if "id" not in document:
        return None
    value = document["id"]
    if isinstance(value, str) and len(value) <= _LONGEST_ID:
        return value
    if type(value) is int and value in _SAFE_INTEGERS:
        return value
    raise _invalid("The id is neither a text nor an integer, or is too long.")


def _invalid(reason: str, id_: Id | None = None) -> Refused:
    return Refused(Deny(400, "invalid-request", reason, NEXT_STEP), id_)
