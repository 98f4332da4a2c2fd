"""An issuer that also tells which of its tokens have ended (RFC 8936): the same to each gateway that asks."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from delegation.clock import Clock
from delegation.security_event import SESSION_REVOKED, TYP, Ended, subject_of
from delegation.signing_key import jwk_set
from tests.issuer import TestIssuer
from tests.serving import serve


class EndingIssuer(TestIssuer):
    """Sends each event stream all that has `ended`, once."""

    def __init__(self, clock: Clock, ended: list[Ended]) -> None:
        super().__init__(clock=clock)
        self.url = ""
        self._ended = ended
        self._told: set[str] = set()

    @contextmanager
    def serving(self) -> Iterator["EndingIssuer"]:
        """Serve the JWKS, the token endpoint and the event streams; sets `url` and `jwks_uri`."""
        routes = [
            Route("/jwks", self._jwks),
            Route("/token", self._token, methods=["POST"]),
            Route("/events/{stream_id}", self._events, methods=["POST"]),
        ]
        with serve(Starlette(routes=routes)) as self.url:
            self.jwks_uri = f"{self.url}/jwks"
            yield self

    async def _jwks(self, _request: Request) -> JSONResponse:
        return JSONResponse(jwk_set(*self.keys))

    async def _token(self, _request: Request) -> JSONResponse:
        token = {"access_token": "its-own", "token_type": "Bearer", "expires_in": 300, "scope": "ssf.read"}
        return JSONResponse(token)

    async def _events(self, request: Request) -> JSONResponse:
        stream = request.path_params["stream_id"]
        if stream in self._told:
            await asyncio.sleep(1)  # a long poll, so that nobody asks all the time
            return JSONResponse({"sets": {}})
        self._told.add(stream)
        return JSONResponse({"sets": {secrets.token_hex(8): self._event(ended) for ended in self._ended}})

    def _event(self, ended: Ended) -> str:
        at = int(ended.time.timestamp())
        claims = {"iss": self.issuer, "aud": "gateway", "iat": at, "toe": at, "jti": secrets.token_hex(8)}
        events = {"sub_id": subject_of(ended, self.issuer), "events": {SESSION_REVOKED: {}}}
        return self.key.sign(claims | events, TYP)
