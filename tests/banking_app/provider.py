"""An OpenID provider of the tests' own: real HTTP, and wrong in the ways that a test chooses."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from delegation.client_assertion import ASSERTION_TYPE
from delegation.clock import Clock, utc_now
from delegation.signing_key import jwk_set
from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER, TestIssuer
from tests.serving import serve

APP_SCOPE = "account:read_balance account:read_transactions"


class Provider:
    """Signs on one customer without asking, rotates refresh tokens, and notices when one is used twice."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        self.issuer = TestIssuer(clock=clock)
        self.url = ""
        self.app_jwks: dict[str, Any] = {}
        self.reset()
        self._codes: dict[str, dict[str, Any]] = {}
        self._refresh_tokens: set[str] = set()
        self._assertions: set[str] = set()

    def reset(self) -> None:
        """Behave well again, and forget what was seen."""
        self.sub, self.name = CUSTOMER, "Alex Morgan"
        # What a test makes wrong.
        self.authorize_answer: dict[str, str] | None = None
        self.id_token_claims: dict[str, Any] = {}
        self.id_token: str | None = None
        self.token_answer: Response | None = None
        self.granted = True
        self.agent_state: str | None = None
        self.grant_changes: dict[str, Any] = {}
        self.grants_answer: Response | None = None
        self.records_answer: list[dict[str, Any]] = []
        # What a test looks at.
        self.authorize_request: dict[str, Any] = {}
        self.token_requests: list[dict[str, str]] = []
        self.issued: list[str] = []
        self.revoked: list[str] = []
        self.withdrawn: list[str] = []
        self.reused = False

    @contextmanager
    def serving(self, port: int = 0) -> Iterator["Provider"]:
        """Serve the provider; its address is the issuer."""
        routes = [
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            Route("/jwks", self._jwks),
            Route("/grants", self._grants),
            Route("/grants/{grant_id}", self._withdraw, methods=["DELETE"]),
            Route("/records", self._records),
            Route("/end-session", self._end_session),
        ]
        with serve(Starlette(routes=routes), port) as url:
            self.url = self.issuer.issuer = url
            yield self

    def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params) | {"resource": request.query_params.getlist("resource")}
        self.authorize_request = asked
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url} | (self.authorize_answer or {})
        answer = {name: value for name, value in answer.items() if value}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 303)

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not self._is_the_app(form):
            return _refused("invalid_client", 401)
        self.token_requests.append(form)
        if self.token_answer is not None:
            return self.token_answer
        if form["grant_type"] == "authorization_code":
            return self._redeem(form)
        return self._refresh(form)

    def _redeem(self, form: dict[str, str]) -> Response:
        asked = self._codes.pop(form["code"], None)
        if asked is None or _challenge(form["code_verifier"]) != asked["code_challenge"]:
            return _refused("invalid_grant")
        answer = self._tokens(form["resource"])
        answer["id_token"] = self.id_token or self._signed_id_token(asked, answer["access_token"])
        self.issued.append(answer["id_token"])
        return JSONResponse(answer)

    def _refresh(self, form: dict[str, str]) -> Response:
        if form["refresh_token"] not in self._refresh_tokens:
            self.reused = True
            return _refused("invalid_grant")
        if form["resource"] == AGENT and (not self.granted or self.agent_state not in (None, "active")):
            return _refused("invalid_target")
        self._refresh_tokens.remove(form["refresh_token"])
        return JSONResponse(self._tokens(form["resource"]))

    def _tokens(self, resource: str) -> dict[str, Any]:
        refresh_token = secrets.token_urlsafe(24)
        self._refresh_tokens.add(refresh_token)
        if resource == AGENT:
            token, life = self.issuer.subject_token(APP_SCOPE, sub=self.sub), 900
        elif resource == ACCOUNT_API:
            token, life = self.issuer.app_token(APP_SCOPE, sub=self.sub), 300
        else:
            token, life = self.issuer.mint(aud=self.url, scope="openid", sub=self.sub), 300
        self.issued += [token, refresh_token]
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": life,
            "refresh_token": refresh_token,
        }

    def _signed_id_token(self, asked: dict[str, Any], access_token: str) -> str:
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.url,
            "sub": self.sub,
            "name": self.name,
            "aud": asked["client_id"],
            "nonce": asked["nonce"],
            "at_hash": _half_hash(access_token),
            "iat": now,
            "exp": now + 300,
        } | self.id_token_claims
        return self.issuer.key.sign({n: v for n, v in claims.items() if v is not None}, "JWT")

    def end_sessions(self) -> None:
        """Forget every refresh token, as after a sign-out elsewhere."""
        self._refresh_tokens.clear()

    def _is_the_app(self, form: dict[str, str]) -> bool:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return False
        key = jwt.PyJWK.from_dict(self.app_jwks["keys"][0])
        options: Any = {"verify_exp": False, "verify_iat": False, "require": ["exp", "jti"]}
        claims = jwt.decode(form["client_assertion"], key, ["ES256"], options, audience=self.url)
        once = claims["jti"] not in self._assertions
        self._assertions.add(claims["jti"])
        return once and claims["aud"] == self.url and claims["iss"] == claims["sub"] == form["client_id"]

    async def _revoke(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not self._is_the_app(form):
            return _refused("invalid_client", 401)
        self.revoked.append(form["token"])
        return Response(status_code=200)

    def _jwks(self, _request: Request) -> Response:
        return JSONResponse(jwk_set(*self.issuer.keys))

    def _grants(self, request: Request) -> Response:
        grant = self._grant()
        asked = {"agent": grant["agent"]} if request.query_params.get("agent_id") == AGENT else {}
        return self.grants_answer or JSONResponse({"grants": [grant] if self.granted else []} | asked)

    def _grant(self) -> dict[str, Any]:
        return {
            "grant_id": "grant-1",
            "agent": {"id": AGENT, "name": "Bank Assistant", "owner": "Digital Channels, Example Bank"}
            | ({"state": self.agent_state} if self.agent_state else {}),
            "scope": [
                {"name": "account:read_balance", "description": "See your accounts and their balances"},
                {"name": "account:read_transactions", "description": "See what came in and what went out"},
            ],
            "created_at": "2026-11-20T09:00:00+00:00",
            "expires_at": "2027-02-18T09:00:00+00:00",
            "last_used_at": None,
        } | self.grant_changes

    def _withdraw(self, request: Request) -> Response:
        self.withdrawn.append(request.path_params["grant_id"])
        self.granted = False
        return Response(status_code=204)

    def _records(self, request: Request) -> Response:
        asked = request.query_params["trace_id"]
        return JSONResponse({"records": [record | {"trace_id": asked} for record in self.records_answer]})

    def _end_session(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 303)


def _refused(error: str, status: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": "as the test wants it"}, status)


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _half_hash(value: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()
