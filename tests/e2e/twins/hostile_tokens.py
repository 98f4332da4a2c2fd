"""Twins whose resource trusts what an attacker signed, or what a token says of itself."""

import asyncio
import contextlib
from contextlib import AbstractContextManager

import httpx2

from tests.e2e.in_process import InProcess
from tests.e2e.jws import header_of
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.layer import Forward, Request, Response, layer
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
