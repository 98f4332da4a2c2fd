"""A token exchange the usual way: FastAPI and PyJWT; used assertions are remembered, nothing is on disk."""

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import jwt
from fastapi import FastAPI, HTTPException, Request

from benchmarks.exchange_contender import AuthorizationServer, ExchangePlace
from benchmarks.gateway_contender import Running
from benchmarks.service import running
from delegation.signing_key import SigningKey, jwk_set
from tests.free_ports import free_ports
from tests.issuer import ACCOUNT_API, AGENT

_ENVIRONMENT: Final = ("ISSUER", "SIGNING_KEY", "AGENT_JWK")
_LIFE_SECONDS: Final = 300


class Exchange:
    """The keys, and which assertions were used."""

    def __init__(self, issuer: str, key: SigningKey, agent: jwt.PyJWK) -> None:
        self._issuer = issuer
        self.key = key
        self._agent = agent
        self._used: set[str] = set()

    def authenticate(self, assertion: str) -> None:
        """Take a client assertion of the agent, once (RFC 7523)."""
        claims = self._verified(assertion, self._agent, self._issuer)
        if not claims["iss"] == claims["sub"] == AGENT or claims["jti"] in self._used:
            raise HTTPException(401, "invalid_client")
        self._used.add(claims["jti"])

    def delegated(self, form: dict[str, str]) -> dict[str, Any]:
        """Return the answer to an exchange (RFC 8693 §2.2.1)."""
        subject = self._verified(form["subject_token"], self.key.public, AGENT)
        actor = self._verified(form["actor_token"], self.key.public, self._issuer)
        scope = set(subject["scope"].split()) & set(actor["scope"].split()) & set(form["scope"].split())
        allowed = subject.get("may_act") == {"sub": AGENT} and actor["sub"] == AGENT
        if not allowed or not scope or form["resource"] != ACCOUNT_API:
            raise HTTPException(400, "invalid_request")
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": ACCOUNT_API,
            "sub": subject["sub"],
            "act": {"sub": AGENT},
            "client_id": AGENT,
            "scope": " ".join(sorted(scope)),
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": min(now + _LIFE_SECONDS, subject["exp"]),
        }
        return {
            "access_token": self.key.sign(claims, "at+jwt"),
            "issued_token_type": form["subject_token_type"],
            "token_type": "Bearer",
            "expires_in": claims["exp"] - now,
            "scope": claims["scope"],
        }

    def _verified(self, token: str, key: jwt.PyJWK, audience: str) -> dict[str, Any]:
        options: Any = {"require": ["exp", "iat", "sub", "jti"]}
        try:
            return jwt.decode(token, key, ["ES256"], audience=audience, options=options)
        except jwt.PyJWTError as error:
            raise HTTPException(401, "invalid") from error


def create_app() -> FastAPI:
    """Return the authorization server."""
    issuer, key, agent = (os.environ[name] for name in _ENVIRONMENT)
    private: Any = jwt.algorithms.ECAlgorithm.from_jwk(key)
    exchange = Exchange(issuer, SigningKey(private), jwt.PyJWK(json.loads(agent)))
    app = FastAPI()

    @app.post("/token")
    async def token(request: Request) -> dict[str, Any]:
        form = {name: str(value) for name, value in (await request.form()).items()}
        try:
            exchange.authenticate(form["client_assertion"])
            return exchange.delegated(form)
        except KeyError as error:
            raise HTTPException(400, "invalid_request") from error

    @app.get("/jwks")
    def jwks() -> dict[str, Any]:
        return jwk_set(exchange.key)

    return app


@contextmanager
def _start(place: ExchangePlace) -> Iterator[Running]:
    [port] = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", f"{__name__}:create_app", "--factory", "--port", str(port)]
    exchanges = place.exchanges
    values = (
        exchanges.issuer.issuer,
        json.dumps(exchanges.issuer.key.as_joserfc().as_dict(private=True)),
        json.dumps(exchanges.agent.public_jwk),
    )
    settings = dict(zip(_ENVIRONMENT, values, strict=True))
    command += ["--no-access-log", "--log-level", "warning"]
    with running(command, place.folder, port, place.cores, settings) as pid:
        yield Running(port, pid)


USUAL = AuthorizationServer("FastAPI + PyJWT, nothing on disk", _start)
