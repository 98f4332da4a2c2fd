"""A `jwks_uri` of the tests' own, served over HTTP, which can also answer as it should not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from delegation.signing_key import SigningKey, jwk_set
from tests.serving import serve


@dataclass
class JwksServer:
    """Publishes `keys`; `broken` is answered in their place, and counted as a fetch like any other."""

    keys: list[SigningKey] = field(default_factory=list)
    broken: Response | None = None
    fetches: int = 0
    jwks_uri: str = ""

    @contextmanager
    def serving(self) -> Iterator["JwksServer"]:
        """Serve over HTTP; sets `jwks_uri`."""

        async def jwks(_request: Request) -> Response:
            self.fetches += 1
            return self.broken or Response(json.dumps(jwk_set(*self.keys)), media_type="application/json")

        with serve(Starlette(routes=[Route("/jwks.json", jwks)])) as url:
            self.jwks_uri = f"{url}/jwks.json"
            yield self


def dripping() -> Response:
    """Answer a byte now and then, and never to the end."""

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.2)

    return StreamingResponse(drip())
