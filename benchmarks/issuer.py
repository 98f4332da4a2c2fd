"""The issuer of the tokens: its keys, its security events, and as many tokens as are wanted."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from delegation.clock import utc_now
from delegation.security_event import SESSION_REVOKED, TYP, Ended, subject_of
from delegation.signing_key import SigningKey
from tests.issuer import TestIssuer
from tests.serving import serve

RECEIVER: Final = "gateway"
LIFE_SECONDS: Final = 890
"""How long tokens are good: no gateway of ours takes one that lives longer than 15 minutes."""
_HELD_SECONDS: Final = 3.0
"""How long the auth server holds a poll while there is nothing new (RFC 8936 §2.4)."""
_LOOK_SECONDS: Final = 0.1


class Issuer(TestIssuer):
    """Serves what our gateway asks the auth server for: keys, a token of its own, security events."""

    def __init__(self, issuer: str = "http://localhost:8502") -> None:
        super().__init__(issuer)
        self.url = ""
        self._events: dict[str, str] = {}
        self._ends = False

    @contextmanager
    def serving(self) -> Iterator["Issuer"]:
        """Serve over HTTP; sets `url` and `jwks_uri`."""
        routes = [
            Route("/jwks", self._jwks),
            Route("/token", self._token, methods=["POST"]),
            Route("/events/{stream}", self._poll, methods=["POST"]),
        ]
        with serve(Starlette(routes=routes)) as self.url:
            self.jwks_uri = f"{self.url}/jwks"
            try:
                yield self
            finally:
                self._ends = True

    def balance_tokens(self, count: int, life: int = LIFE_SECONDS) -> list[str]:
        """Sign so many delegation tokens, each of another customer; `life` is in seconds."""
        return [
            self.delegation_token("account:read_balance", sub=f"customer-{number}@example.com", life=life)
            for number in range(count)
        ]

    def end(self, jti: str) -> None:
        """Tell all who poll that a token has ended."""
        now, event_id = utc_now(), secrets.token_urlsafe(8)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": RECEIVER,
            "iat": int(now.timestamp()),
            "toe": int(now.timestamp()),
            "jti": event_id,
            "sub_id": subject_of(Ended(now, jti=jti), self.issuer),
            "events": {SESSION_REVOKED: {}},
        }
        self._events[event_id] = self.key.sign(claims, TYP)

    async def _jwks(self, _request: Request) -> JSONResponse:
        return JSONResponse({"keys": [self.key.public_jwk]})

    async def _token(self, _request: Request) -> JSONResponse:
        return JSONResponse({"access_token": "its-own", "token_type": "Bearer", "expires_in": 3600})

    async def _news(self) -> None:
        until, known = time.monotonic() + _HELD_SECONDS, len(self._events)
        while time.monotonic() < until and len(self._events) == known and not self._ends:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)  # the events come from another thread

    async def _poll(self, request: Request) -> JSONResponse:
        asked = await request.json()
        if not asked["returnImmediately"]:
            await self._news()
        return JSONResponse({"sets": self._events})


def namesake(key: SigningKey) -> SigningKey:
    """Return another key that has the same `kid`."""
    other = SigningKey.generate()
    other.kid = key.kid
    return other
