"""The parties that the chatbot talks to, small and over real HTTP: a token endpoint and a gateway.

They are not what is tested here: they take what they are sent, answer in the form of the contract, refuse
when a test tells them to, and remember what they got.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.chatbot.bank import PROBLEMS, Bank
from tests.chatbot.mcp_wire import called_by_mcp, in_mcp
from tests.issuer import AGENT, TestIssuer
from tests.serving import serve


def claims(encoded: str) -> dict[str, Any]:
    """The payload of a token that a test knows to be good."""
    return dict(jwt.decode(encoded, options={"verify_signature": False}))


@dataclass
class TokenEndpoint:
    """Issues actor and delegation tokens for `life` seconds, or answers `refusal` to an exchange.

    `ended` are actor tokens that it takes no more.
    """

    issuer: TestIssuer
    life: int = 300
    refusal: tuple[int, dict[str, str]] | None = None
    ended: set[str] = field(default_factory=set)
    forms: list[dict[str, str]] = field(default_factory=list)
    traceparents: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)

    def begin_again(self) -> None:
        self.life, self.refusal, self.ended = 300, None, set()
        self.forms, self.traceparents, self.issued = [], [], []

    @property
    def exchanges(self) -> list[dict[str, str]]:
        return [form for form in self.forms if "subject_token" in form]

    async def answer(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.forms.append(form)
        self.traceparents.append(request.headers["traceparent"])
        if "subject_token" not in form:
            return self._issue(self.issuer.mint(aud=self.issuer.issuer, sub=AGENT, client_id=AGENT), "")
        if self.refusal:
            return JSONResponse(self.refusal[1], self.refusal[0])
        if form["actor_token"] in self.ended:
            error = {
                "error": "invalid_request",
                "error_description": "actor_token: The token has been revoked.",
            }
            return JSONResponse(error, 400)
        sub = claims(form["subject_token"])["sub"]
        token = self.issuer.delegation_token(form["scope"], sub=sub, aud=form["resource"], life=self.life)
        return self._issue(token, form["scope"])

    def _issue(self, token: str, scope: str) -> Response:
        self.issued.append(token)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.life, "scope": scope}
        return JSONResponse(body)


@dataclass
class Gateway:
    """Lets calls through to the bank. `instead` holds answers to give in place of the bank's, in order.

    An answer of None is never given: the call hangs. Calls that come by MCP are remembered as those by REST
    that they stand for, and answered like those, in MCP's form. `enough` is the scope that a token must have.
    """

    bank: Bank = field(default_factory=Bank)
    instead: list[Response | None] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    enough: frozenset[str] = frozenset()
    protocols: list[str] = field(default_factory=list)

    def begin_again(self) -> None:
        self.bank, self.instead, self.calls, self.protocols = Bank(), [], [], []
        self.enough = frozenset()

    async def answer(self, request: Request) -> Response:
        if "authorization" not in request.headers:
            return Response(status_code=401)
        body = await request.body()
        self.protocols.append("rest")
        return await self._answer(
            request,
            {
                "method": request.method,
                "path": request.url.path,
                "query": dict(request.query_params),
                "body": json.loads(body) if body else None,
                "key": request.headers.get("idempotency-key"),
            },
        )

    async def answer_mcp(self, request: Request) -> Response:
        """Answer a JSON-RPC request of revision 2026-07-28; what is none is a fault of the chatbot's."""
        if "authorization" not in request.headers:
            return Response(status_code=401)
        self.protocols.append("mcp")
        message = await request.json()
        return in_mcp(await self._answer(request, called_by_mcp(request, message)), message["id"])

    async def _answer(self, request: Request, call: dict[str, Any]) -> Response:
        call["token"] = request.headers["authorization"].removeprefix("Bearer ")
        call["traceparent"] = request.headers["traceparent"]
        self.calls.append(call)
        if self.instead:
            answer = self.instead.pop(0)
            if answer is None:
                await asyncio.Event().wait()
            return answer or Response()
        if self.enough - set(claims(call["token"])["scope"].split()):
            return insufficient(" ".join(sorted(self.enough)))
        status, document = self.bank.answer(
            call["method"], call["path"], call["query"], call["body"], call["key"]
        )
        return JSONResponse(document, status, PERMITTED)


PERMITTED = {
    "Decision-Id": "d" * 32,
    "Decision": 'permit;operation="account.any";reason="the policy lets \\"this\\" agent"',
    "Record-Id": "r" * 32,
}


def denied(status: int, reason: str, kind: str = "about:blank") -> Response:
    """What the gateway answers to a call that it does not let through."""
    document = {
        "type": kind,
        "title": "Denied",
        "status": status,
        "detail": reason,
        "reason": reason,
    }
    return JSONResponse(
        document, status, {"Decision-Id": "e" * 32, "Decision": f'deny;operation="x";reason="{reason}"'}
    )


def insufficient(scope: str, challenge: str = 'Bearer error="insufficient_scope", scope="{}"') -> Response:
    """What the gateway answers to a token whose scope does not suffice."""
    response = denied(403, "The token's scope does not suffice.", PROBLEMS + "insufficient-scope")
    response.headers["WWW-Authenticate"] = challenge.format(scope)
    return response


@contextmanager
def served(*routes: Route) -> Iterator[str]:
    """Serve routes and give their base address."""
    with serve(Starlette(routes=list(routes))) as url:
        yield url
