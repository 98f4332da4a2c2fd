"""A chatbot of the tests' own: streams whatever events a test gives it, over real HTTP."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from delegation.trace import TraceMiddleware, current_trace_id
from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER
from tests.serving import serve

AT = datetime(2026, 11, 24, 10, 0, 3, tzinfo=UTC)


class Chatbot:
    """Answers each question with `events`, or with `answer` when that is set."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Behave well again, and forget what was seen."""
        self.events: Sequence[tuple[str, Any]] = ()
        self.answer: Response | None = None
        self.asked: list[dict[str, Any]] = []
        self.forgotten = 0

    @contextmanager
    def serving(self, port: int = 0) -> Iterator["Chatbot"]:
        """Serve the chatbot."""
        app = Starlette(
            routes=[
                Route("/chat", self._chat, methods=["POST"]),
                Route("/chat", self._forget, methods=["DELETE"]),
                Route("/readyz", lambda _request: JSONResponse({"status": "ready"})),
            ]
        )
        app.add_middleware(TraceMiddleware)
        with serve(app, port) as url:
            self.url = url
            yield self

    async def _chat(self, request: Request) -> Response:
        self.asked.append(
            {
                "message": (await request.json())["message"],
                "authorization": request.headers["authorization"],
                "trace_id": current_trace_id(),
            }
        )
        return self.answer or StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        for kind, data in self.events:
            text = data if isinstance(data, str) else json.dumps(data)
            yield f"event: {kind}\ndata: {text}\n\n"

    def _forget(self, _request: Request) -> Response:
        self.forgotten += 1
        return Response(status_code=204)


def step(number: int, **changed: Any) -> tuple[str, dict[str, Any]]:
    """Return a step event as the real chatbot sends it; every field can be changed."""
    ends = {
        2: ("banking_app", "chatbot"),
        3: ("chatbot", "auth_server"),
        4: ("auth_server", "chatbot"),
        5: ("chatbot", "gateway"),
        6: ("gateway", "account_api"),
    }
    source, target = ends[number]
    event = {
        "step": number,
        "title": "",
        "from": source,
        "to": target,
        "at": AT.isoformat(),
        "call": 0 if number == 2 else 1,
        "operation": None if number == 2 else "account.read_balance",
        "request": None,
        "token": None,
        "decision": None if number == 3 else "permit",
        "failed": False,
        "hint": None,
        "reason": None,
        "decision_id": None,
        "record_id": None,
        "reused": False,
    }
    return "step", event | changed


def claims(**changed: Any) -> dict[str, Any]:
    """Return a delegation token's claims; every claim can be changed, or left out with None."""
    issued_at = int(AT.timestamp())
    default = {
        "iss": "http://localhost:8502",
        "aud": ACCOUNT_API,
        "sub": CUSTOMER,
        "act": {"sub": AGENT},
        "client_id": AGENT,
        "scope": "account:read_balance",
        "jti": "jti-1",
        "iat": issued_at - 3,
        "exp": issued_at + 297,
    }
    return {name: value for name, value in (default | changed).items() if value is not None}


def balance_answer() -> list[tuple[str, Any]]:
    """Return the events of one answered balance question."""
    subject = claims(act=None, aud=AGENT, client_id="banking-app", may_act={"sub": AGENT}, jti="jti-0")
    actor = claims(act=None, sub=AGENT, aud="http://localhost:8502", jti="jti-a", scope="")
    request = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "resource": ACCOUNT_API,
        "scope": "account:read_balance",
        "actor_token": actor,
    }
    return [
        step(2, token=subject, reason="the subject token is for this assistant"),
        step(3, request=request, token=subject),
        step(4, token=claims(), reason="delegation within what the customer allows"),
        step(
            5,
            token=claims(),
            request={"method": "GET", "path": "/accounts/4001-01/balance"},
            decision_id="d" * 32,
            reason="policy allows this actor this operation",
        ),
        step(6, request={"status": 200}, record_id="e" * 32),
        ("text", {"delta": "The balance of Checking is "}),
        ("text", {"delta": "€1,234.56."}),
        ("done", {"trace_id": "0" * 32}),
    ]
