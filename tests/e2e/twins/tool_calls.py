"""Twins that judge a call by REST and forget to by MCP, or that judge of a tool's call its name alone."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

import httpx2
from starlette.concurrency import run_in_threadpool

import gateway.relay
import gateway.request_headers
from gateway.request_headers import RequestHeaders
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.twins.lax_gateway import accepting, answering
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.lenient import RESOURCE
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_MCP: Final = "/mcp"
_EVERY_SCOPE: Final = "account:read_balance account:read_transactions account:transfer"
_TOKEN_HEADERS: Final = frozenset({"x-forwarded-access-token", "x-forwarded-authorization", "cookie"})
_FAIL: Final = Verdict.FAIL


def _is_for_it(header: dict[str, Any], claims: dict[str, Any]) -> bool:
    return header.get("typ") == "at+jwt" and claims.get("aud") == RESOURCE


@twin(
    "RS-91",
    "looks at the scope of REST calls alone",
    also={"RS-61": _FAIL, "RS-66": _FAIL, "TX-14": _FAIL},
)
def forgets_the_scope_of_tool_calls(stack: InProcess) -> AbstractContextManager[None]:
    """Serve every tool to whoever has a token, whatever its scope."""
    return accepting(
        stack,
        lambda header, claims: (
            {"scope": _EVERY_SCOPE} if _is_for_it(header, claims) and claims.get("act") else None
        ),
        only_at=_MCP,
    )


@twin(
    "RS-51",
    "looks at the audience of tokens that come by REST alone",
    also={"RS-58": _FAIL, "RS-65": _FAIL, "RS-66": _FAIL},
)
def forgets_the_audience_of_tool_calls(stack: InProcess) -> AbstractContextManager[None]:
    """Take a token that was made for somebody else."""

    def flawed(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        is_elses = header.get("typ") == "at+jwt" and claims.get("aud", RESOURCE) != RESOURCE
        return {"aud": RESOURCE} if is_elses else None

    return accepting(stack, flawed, only_at=_MCP)


@twin("RS-71", "asks which agent acts of REST calls alone", also={"RS-66": _FAIL})
def forgets_the_actor_of_tool_calls(stack: InProcess) -> AbstractContextManager[None]:
    """Let every agent call every tool."""

    def flawed(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        act = claims.get("act")
        is_another = isinstance(act, dict) and act.keys() == {"sub"} and act["sub"] not in {AGENT, ""}
        return {"act": {"sub": AGENT}} if is_another and _is_for_it(header, claims) else None

    return accepting(stack, flawed, only_at=_MCP)


@twin("RS-65", "sends on the tokens that proxies before it kept in headers of their own")
def sends_on_tokens_of_other_headers(_stack: InProcess) -> AbstractContextManager[object]:
    """Hold back one header with a token and not the others."""

    def forwarded(headers: RequestHeaders) -> list[tuple[str, str]]:
        kept = [(name, value) for name, value in headers.items() if name in _TOKEN_HEADERS]
        return [*gateway.request_headers.forwarded(headers), *kept]

    return patch.object(gateway.relay, "forwarded", forwarded)


@twin("RS-65", "asks the server for its tools with a token that it has not looked at")
def sends_a_token_on_before_it_is_checked(stack: InProcess) -> AbstractContextManager[None]:
    """Send whatever token came to the server, and refuse the call all the same."""
    address = f"{stack.environment['ACCOUNT_API_URL']}{_MCP}"

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        fields = [value for name, value in request.headers if name == "authorization"]
        if request.path == _MCP and answer.status == 401 and fields:
            await run_in_threadpool(httpx2.post, address, json={}, headers={"authorization": fields[0]})
        return answer

    return stack.gateway.inside(layer(handle))


@twin("RS-66", "knows of no transactions by MCP")
def refuses_a_tool_whose_route_is_open(stack: InProcess) -> AbstractContextManager[None]:
    """Refuse by MCP what REST permits."""

    def change(request: Request, answer: Response) -> Response:
        is_permitted = request.path == _MCP and answer.status == 200 and b"read_transactions" in request.body
        return json_response(403, detail="there is no such tool") if is_permitted else answer

    return answering(stack, change)


@twin("RS-66", "takes whoever may not act for nobody, by MCP", also={"RS-71": Verdict.WRONG_CODE})
def calls_a_refused_actor_unauthenticated(stack: InProcess) -> AbstractContextManager[None]:
    """Answer 401 by MCP where REST answers 403."""

    def change(request: Request, answer: Response) -> Response:
        is_refused = request.path == _MCP and answer.status == 403 and b"actor" in answer.body
        return replace(answer, status=401) if is_refused else answer

    return answering(stack, change)


def _reading(stack: InProcess, change: Callable[[dict[str, Any]], None]) -> AbstractContextManager[None]:
    """Read each message by MCP with the members that come last, and change its arguments."""

    async def handle(request: Request, forward: Forward) -> Response:
        if request.path == _MCP:
            message = json.loads(request.body)
            change(message["params"]["arguments"])
            body = json.dumps(message).encode()
            headers = request.with_headers(content_length=str(len(body))).headers
            request = replace(request, body=body, headers=headers)
        return await forward(request)

    return stack.gateway.inside(layer(handle))


@twin("RS-67", "judges a call by the tool's name alone")
def judges_the_name_alone(stack: InProcess) -> AbstractContextManager[None]:
    """Put an amount that is permitted in the place of each that is not."""

    def change(arguments: dict[str, Any]) -> None:
        if "amount" in arguments:
            arguments["amount"]["amount_minor"] = 1

    return _reading(stack, change)


@twin("RS-67", "judges one of two members of a message, without a word of the other")
def overlooks_the_first_of_two_arguments(stack: InProcess) -> AbstractContextManager[None]:
    """Read a message as most parsers do: the last member of a name counts."""
    return _reading(stack, lambda _arguments: None)
