"""The suite's own issuer, as far as a resource sees it: a `jwks_uri`, and how often it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.e2e.jws import KeyPair
from tests.e2e.served import serving


@dataclass
class KeyServer:
    """The public key that is served, and how often it was asked for."""

    public_jwk: dict[str, Any]
    fetches: int = 0


@contextmanager
def serving_keys(listen: str, key: KeyPair) -> Iterator[KeyServer]:
    """Serve the public half of a key as a JWK set (RFC 7517 §5), whatever the path."""
    served = KeyServer(key.public_jwk)

    async def jwks(_request: Request) -> JSONResponse:
        served.fetches += 1
        return JSONResponse({"keys": [served.public_jwk]})

    app = Starlette(routes=[Route("/{path:path}", jwks)])
    with serving(listen, app, "minting.jwks_listen"):
        yield served
