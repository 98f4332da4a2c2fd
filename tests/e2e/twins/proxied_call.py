"""Twins that let through what must not get through, or that do a thing twice."""

import secrets
from contextlib import AbstractContextManager
from unittest.mock import patch

from jwt import PyJWK

import gateway.relay
from delegation.jwks import KeysUnavailable, RemoteKeySet
from gateway.request_headers import RequestHeaders
from tests.e2e.in_process import InProcess
from tests.e2e.twins.lax_gateway import answering
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict


@twin("RS-64", "forwards every header", also={"RS-65": Verdict.FAIL})
def forwards_every_header(_stack: InProcess) -> AbstractContextManager[object]:
    """Send on whatever came."""
    return patch.object(gateway.relay, "forwarded", _everything)


def _everything(headers: RequestHeaders) -> list[tuple[str, str]]:
    known = gateway.request_headers.forwarded(headers)
    # Those of the connection and of the message are written anew: twice, they would break it.
    left_out = {"host", "connection", "content-length", "content-type", *(name for name, _ in known)}
    others = [(name, value) for name, value in headers.items() if name not in left_out]
    return known + [one for one in others if not one[0].startswith("mcp-")]


@twin("RS-64", "removes identity headers in one spelling only")
def compares_the_spelling_of_headers(_stack: InProcess) -> AbstractContextManager[object]:
    """Send on header names with an underscore, which some backends read like a hyphen."""

    def underscored(headers: RequestHeaders) -> list[tuple[str, str]]:
        known = gateway.request_headers.forwarded(headers)
        return known + [(name, value) for name, value in headers.items() if "_" in name]

    return patch.object(gateway.relay, "forwarded", underscored)


@twin("RS-69", "lets calls through while the keys cannot be had")
def fails_open(stack: InProcess) -> AbstractContextManager[object]:
    """Find a key where none can be had."""
    find = RemoteKeySet.key

    async def key(self: RemoteKeySet, kid: str) -> PyJWK:
        try:
            return await find(self, kid)
        except KeysUnavailable:
            return stack.context.server.tokens.keys.current().public

    return patch.object(RemoteKeySet, "key", key)


@twin("RS-70", "does not know a key again")
def forgets_idempotency_keys(stack: InProcess) -> AbstractContextManager[None]:
    """Put a new key in the place of each that comes."""

    async def handle(request: Request, forward: Forward) -> Response:
        if any(name == "idempotency-key" for name, _ in request.headers):
            request = request.with_headers(idempotency_key=secrets.token_hex(8))
        return await forward(request)

    return stack.account_api.inside(layer(handle))


@twin("RS-70", "answers a repeat as if it were another order")
def answers_a_repeat_anew(stack: InProcess) -> AbstractContextManager[None]:
    """Name another transfer in each answer."""

    def change(request: Request, answer: Response) -> Response:
        is_receipt = request.path == "/transfers" and answer.status == 201
        return answer.with_json(transfer_id=secrets.token_hex(8)) if is_receipt else answer

    return answering(stack, change)


@twin("RS-68", "says of another's account that it is there")
def tells_anothers_account_apart(stack: InProcess) -> AbstractContextManager[None]:
    """Answer 403 for another customer's account, 404 for none."""

    def change(request: Request, answer: Response) -> Response:
        is_marias = request.path.startswith("/accounts/4002-") and answer.status == 404
        return Response(403, answer.headers, answer.body) if is_marias else answer

    return answering(stack, change)
