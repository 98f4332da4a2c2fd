"""An issuer of the tests' own: its keys are served over HTTP, and it signs whatever a test asks for."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from delegation.clock import Clock, utc_now
from delegation.signing_key import SigningKey, jwk_set
from tests.serving import serve

AGENT = "https://bank-agent.example.com"
ACCOUNT_API = "https://account.api.example.com"
CUSTOMER = "customer@example.com"


class TestIssuer:
    """Mints tokens in the shape of the design; every claim can be changed, or left out with None."""

    __test__ = False

    def __init__(self, issuer: str = "http://localhost:8502", clock: Clock = utc_now) -> None:
        self.issuer = issuer
        self.key = SigningKey.generate()
        self.keys = [self.key]
        self.jwks_fetches = 0
        self.jwks_uri = ""
        self._clock = clock

    @contextmanager
    def serving(self) -> Iterator["TestIssuer"]:
        """Serve the JWKS over HTTP; sets `jwks_uri`."""

        async def jwks(_request: Request) -> JSONResponse:
            self.jwks_fetches += 1
            return JSONResponse(jwk_set(*self.keys))

        with serve(Starlette(routes=[Route("/jwks", jwks)])) as url:
            self.jwks_uri = f"{url}/jwks"
            yield self

    def mint(
        self, *, typ: str = "at+jwt", key: SigningKey | None = None, life: int = 300, **claims: Any
    ) -> str:
        """Sign an access token for the account API; `life` is in seconds."""
        now = int(self._clock().timestamp())
        default = {
            "iss": self.issuer,
            "aud": ACCOUNT_API,
            "sub": CUSTOMER,
            "client_id": "banking-app",
            "scope": "",
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + life,
        }
        merged = {name: value for name, value in (default | claims).items() if value is not None}
        return (key or self.key).sign(merged, typ)

    def delegation_token(self, scope: str, **claims: Any) -> str:
        """Sign a delegation token: the agent acts for the customer at the account API."""
        return self.mint(**{"act": {"sub": AGENT}, "client_id": AGENT, "scope": scope} | claims)

    def app_token(self, scope: str = "account:read_balance account:read_transactions", **claims: Any) -> str:
        """Sign the banking app's own token for the account API: no `act`."""
        return self.mint(scope=scope, **claims)

    def subject_token(self, scope: str, **claims: Any) -> str:
        """Sign a subject token: for the agent, which the customer allows to act."""
        return self.mint(**{"aud": AGENT, "may_act": {"sub": AGENT}, "scope": scope} | claims, life=900)
