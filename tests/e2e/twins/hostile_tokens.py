"""Twins whose resource trusts what an attacker signed, or what a token says of itself."""

import asyncio
import contextlib
from contextlib import AbstractContextManager
from typing import Any

import httpx2

from tests.e2e.in_process import InProcess
from tests.e2e.jws import header_of
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.twin import twin


def _with_header(stack: InProcess, *names: str) -> AbstractContextManager[None]:
    """Accept whatever token has one of these header parameters."""
    return accepting(stack, lambda header, _claims: {} if set(names) & header.keys() else None)


@twin("RS-52", "takes unsigned tokens")
def takes_alg_none(stack: InProcess) -> AbstractContextManager[None]:
    """Accept alg none, as it is registered."""
    return accepting(stack, lambda header, _claims: {} if header.get("alg") == "none" else None)


@twin("RS-52", "refuses alg none in that spelling only")
def compares_the_case_of_none(stack: InProcess) -> AbstractContextManager[None]:
    """Accept alg none in another spelling."""
    return accepting(stack, lambda header, _claims: {} if header.get("alg") in {"None", "nOnE"} else None)


@twin("RS-53", "takes a public key for the secret of an HMAC")
def takes_hmac(stack: InProcess) -> AbstractContextManager[None]:
    """Accept HS256."""
    return accepting(stack, lambda header, _claims: {} if header.get("alg") == "HS256" else None)


@twin("RS-54", "verifies with the key that the token brings")
def trusts_an_embedded_key(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token with jwk."""
    return _with_header(stack, "jwk")


@twin("RS-54", "verifies with the key at the address that the token names")
def trusts_a_key_by_reference(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token with jku or x5u."""
    return _with_header(stack, "jku", "x5u")


@twin("RS-54", "fetches what the token points to, though it does not use it")
def fetches_what_a_token_points_to(stack: InProcess) -> AbstractContextManager[None]:
    """Ask the address in jku, and refuse all the same."""

    async def handle(request: Request, forward: Forward) -> Response:
        authorization = next((value for name, value in request.headers if name == "authorization"), "")
        address = header_of(authorization.partition(" ")[2]).get("jku")
        if isinstance(address, str):
            with contextlib.suppress(httpx2.HTTPError):
                await asyncio.to_thread(httpx2.get, address)
        return await forward(request)

    return stack.gateway.inside(layer(handle))


def _kid(stack: InProcess) -> str:
    return stack.context.server.tokens.keys.current().kid


@twin("RS-55", "breaks down over a kid that is no string")
def breaks_over_a_kid_that_is_no_string(stack: InProcess) -> AbstractContextManager[None]:
    """Answer 500."""

    async def handle(request: Request, forward: Forward) -> Response:
        authorization = next((value for name, value in request.headers if name == "authorization"), "")
        if isinstance(header_of(authorization.partition(" ")[2]).get("kid"), list):
            return json_response(500, detail="unhashable type: 'list'")
        return await forward(request)

    return stack.gateway.inside(layer(handle))


@twin("RS-55", "falls back to another key when it does not know the kid")
def falls_back_to_any_key(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a kid that names no key of the issuer's, if it looks like one."""

    def flawed(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        kid = header.get("kid")
        unknown = isinstance(kid, str) and len(kid) == 11 and kid != _kid(stack)
        return {} if unknown and "act" in claims else None

    return accepting(stack, flawed)


@twin("RS-56", "does not look at crit")
def ignores_crit(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token with an extension that nobody here understands."""
    return _with_header(stack, "crit")


@twin("RS-56", "takes an empty crit for none")
def takes_an_empty_crit(stack: InProcess) -> AbstractContextManager[None]:
    """Accept what RFC 7515 §4.1.11 forbids."""
    return accepting(stack, lambda header, _claims: {} if header.get("crit") == [] else None)


@twin("RS-57", "takes an ID token for an access token")
def takes_id_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token with a nonce, as the customer's."""
    return accepting(stack, _as_access_token)


def _as_access_token(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
    if "nonce" not in claims:
        return None
    agent = "https://bank-agent.example.com"
    return {
        "aud": "https://account.api.example.com",
        "client_id": agent,
        "act": {"sub": agent},
        "scope": "account:read_balance",
    }


@twin("RS-58", "takes the customer's subject token")
def takes_subject_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token that was made for the exchange."""
    return accepting(stack, lambda _header, claims: _exchanged(claims) if "may_act" in claims else None)


@twin("RS-58", "takes the agent's actor token")
def takes_actor_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Accept the agent in person, as if the demo's customer had come."""
    issuer = stack.context.settings.issuer

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        is_actor_token = claims.get("aud") == issuer and "act" not in claims
        return _exchanged(claims) | {"sub": "customer@example.com"} if is_actor_token else None

    return accepting(stack, flawed)


def _exchanged(claims: dict[str, Any]) -> dict[str, Any]:
    agent = "https://bank-agent.example.com"
    return {
        **claims,
        "may_act": None,
        "aud": "https://account.api.example.com",
        "client_id": agent,
        "act": {"sub": agent},
        "scope": "account:read_balance",
    }
