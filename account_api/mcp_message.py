"""One JSON-RPC message of a request at `/mcp`, read once: what is authorised is what is carried out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request

from account_api import problems
from account_api.admission import bounded

_MAX_MESSAGE_BYTES: Final = 16 * 1024
"""More than a REST body may have: a message also says who the client is and what it can do."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a notification, whose `id` is None. `content` is the body, written anew by us.

    So nothing that two readers could read in two ways goes on: a name twice, NaN, half a character.
    """

    id: int | str | None
    method: str
    params: Mapping[str, Any]
    content: bytes

    @property
    def tool(self) -> str | None:
        """Return the name of the tool that is called, if one is."""
        name = self.params.get("name")
        return name if self.method == "tools/call" and isinstance(name, str) else None

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments of a call, as far as they are an object."""
        return _object(self.params.get("arguments"))

    @property
    def traceparent(self) -> str | None:
        """Return the trace that the message belongs to, if it says so."""
        value = _object(self.params.get("_meta")).get("traceparent")
        return value if isinstance(value, str) else None


async def read_message(request: Request) -> Message:
    """Return the message in a request's body.

    Raises:
        HTTPException: 413, the body is too long; 400, it is no JSON in UTF-8.
        Problem: 400, it is not one JSON-RPC request or notification.
    """
    body = await Request(request.scope, bounded(request.receive, _MAX_MESSAGE_BYTES)).body()
    try:
        value = json.loads(body.decode(), parse_constant=_refuse)
        content = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise HTTPException(400) from error
    if not isinstance(value, dict) or value.get("jsonrpc") != "2.0" or not _is_message(value):
        raise problems.mcp_message_invalid()
    return Message(value.get("id"), value["method"], value.get("params", {}), content)


def _is_message(value: Mapping[str, Any]) -> bool:
    message_id = value.get("id", 0)
    return (
        isinstance(value.get("method"), str)
        and isinstance(message_id, int | str)
        and not isinstance(message_id, bool)
        and isinstance(value.get("params", {}), dict)
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
