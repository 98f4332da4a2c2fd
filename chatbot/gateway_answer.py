"""Steps 5 and 6 as the agent sees them: what came back through the gateway, by whichever protocol."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import httpx2

from chatbot.challenge import demanded_scope
from chatbot.tools import Call
from delegation.scope import Scope

_MAX_BYTES: Final = 1024 * 1024
_ITEM: Final = re.compile(r"\s*(permit|deny)\s*(?:;|\Z)")
_REASON: Final = re.compile(r';\s*reason="((?:[^"\\]|\\["\\])*)"')


class NoAnswer(Exception):
    """The gateway did not answer, or not to the end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `decision` is the gateway's where it says one; `body` is empty where it is no JSON object.

    `decision_id` and `record_id` name the records of the gateway and of the account API. `demanded` is the
    scope that a refusal for too little scope names (RFC 6750 §3.1).
    """

    status: int
    body: Mapping[str, Any]
    decision: Literal["permit", "deny"] | None
    reason: str | None
    decision_id: str | None
    record_id: str | None
    demanded: Scope | None = None

    @property
    def detail(self) -> str | None:
        """Return what the problem document says, if the answer is one (RFC 9457)."""
        return _text(self.body.get("detail"))

    @property
    def kind(self) -> str | None:
        """Return the last part of the problem document's type, if the answer is one."""
        kind = _text(self.body.get("type"))
        return kind.rstrip("/").rpartition("/")[2] if kind else None


class AccountApiClient(Protocol):
    """A way of this agent to the account API, through the gateway."""

    async def call(self, call: Call, access_token: str, idempotency_key: str | None) -> Answer:
        """Make a call with a delegation token.

        Raises:
            NoAnswer: there was no whole answer of a bearable length in time.
        """

    def shown(self, call: Call, idempotency_key: str | None) -> dict[str, Any]:
        """Return the call as it is made, for display, without the token."""


async def fetched(
    http: httpx2.AsyncClient,
    method: str,
    url: str,
    timeout_seconds: float,
    **request: Any,  # noqa: ANN401 - handed on to the HTTP client
) -> tuple[httpx2.Response, bytes]:
    """Return the response to a request, and its body.

    Raises:
        NoAnswer: there was no whole answer of a bearable length in time.
    """
    content = b""
    try:
        async with http.stream(method, url, timeout=timeout_seconds, **request) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise NoAnswer("the answer is too long")
    except httpx2.HTTPError as error:
        raise NoAnswer("the gateway does not answer") from error
    return response, content


def answer_of(response: httpx2.Response, status: int, body: Mapping[str, Any]) -> Answer:
    """Return the answer with what the header fields say of it; `status` and `body` are the account API's."""
    decision, reason = read_decision(response.headers.get("decision", ""))
    if decision is None:  # a gateway that names its decision in no header still decided
        decision = "deny" if response.status_code in {401, 403} else "permit" if response.is_success else None
    return Answer(
        status,
        body,
        decision,
        reason or _text(body.get("reason")),
        response.headers.get("decision-id") or _text(body.get("decision_id")),
        response.headers.get("record-id"),
        demanded_scope(response.status_code, response.headers.get_list("www-authenticate")),
    )


def read_decision(value: str) -> tuple[Literal["permit", "deny"] | None, str | None]:
    """Read a `Decision` field: an item with the parameter `reason` (RFC 9651 §3.3); malformed is nothing."""
    item, reason = _ITEM.match(value), _REASON.search(value)
    if item is None:
        return None, None
    decision: Literal["permit", "deny"] = "permit" if item[1] == "permit" else "deny"
    return decision, re.sub(r"\\(.)", r"\1", reason[1]) if reason else None


def _text(value: object) -> str | None:
    return value[:500] if isinstance(value, str) else None
