"""The agent's way to the account API by REST."""

import json
from typing import Any

import httpx2

from chatbot.gateway_answer import Answer, answer_of, fetched
from chatbot.tools import Call
from delegation.trace import outgoing_headers


class GatewayClient:
    """Calls the account API's REST interface at the gateway."""

    def __init__(self, base_url: str, http: httpx2.AsyncClient, timeout_seconds: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._timeout_seconds = timeout_seconds

    async def call(self, call: Call, access_token: str, idempotency_key: str | None) -> Answer:
        """Make a call with a delegation token.

        Raises:
            NoAnswer: there was no whole answer of a bearable length in time.
        """
        headers = {
            "Authorization": f"Bearer {access_token}",
            "Accept": "application/json",
            **outgoing_headers(),
        }
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        response, content = await fetched(
            self._http,
            call.method,
            self._base_url + call.path,
            self._timeout_seconds,
            params=call.query,
            json=call.body,
            headers=headers,
        )
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        return answer_of(response, response.status_code, body if isinstance(body, dict) else {})

    def shown(self, call: Call, idempotency_key: str | None) -> dict[str, Any]:
        """Return the call as it is made, for display, without the token."""
        request: dict[str, Any] = {"method": call.method, "path": call.path}
        optional = {"query": call.query, "body": call.body, "idempotency_key": idempotency_key}
        return request | {name: value for name, value in optional.items() if value}
