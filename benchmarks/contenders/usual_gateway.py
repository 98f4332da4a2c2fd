"""A gateway the usual way: FastAPI, an httpx client and PyJWT, as tutorials put it together. No record.

It does what is needed to refuse what must be refused, and PyJWT's own key client fetches the keys.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Annotated, Any

import httpx2
import jwt
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from benchmarks.gateway_contender import CLEARING_ACCOUNT, Gateway, Place, Running
from benchmarks.service import running
from tests.free_ports import free_ports
from tests.issuer import ACCOUNT_API, AGENT

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
_bearer = HTTPBearer()


@asynccontextmanager
async def _client(app: FastAPI) -> AsyncIterator[None]:
    async with httpx2.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as app.state.http:
        yield


app = FastAPI(lifespan=_client)


@lru_cache
def _keys() -> jwt.PyJWKClient:
    return jwt.PyJWKClient(os.environ["JWKS_URI"])


async def _claims(credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> dict[str, Any]:
    token = credentials.credentials
    try:
        key = _keys().get_signing_key_from_jwt(token)
        options: Any = {"require": ["exp", "iat", "sub", "aud", "iss"]}
        claims: dict[str, Any] = jwt.decode(
            token, key, ["ES256"], audience=ACCOUNT_API, issuer=os.environ["ISSUER"], options=options
        )
    except jwt.PyJWTError as error:
        raise HTTPException(401, "invalid_token") from error
    actor = claims.get("act")
    if not isinstance(actor, dict) or actor.get("sub") != AGENT:
        raise HTTPException(403, "this actor may not")
    return claims


Claims = Annotated[dict[str, Any], Depends(_claims)]


async def _passed_on(request: Request, claims: dict[str, Any], scope: str) -> Response:
    if scope not in claims.get("scope", "").split():
        raise HTTPException(403, "insufficient_scope")
    headers = [(name, value) for name, value in request.headers.items() if name not in _HOP_BY_HOP]
    answer = await request.app.state.http.request(
        request.method, request.url.path, headers=headers, content=await request.body()
    )
    kept = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
    return Response(answer.content, answer.status_code, kept)


@app.get("/accounts")
@app.get("/accounts/{account_id}/balance")
async def _balance(request: Request, claims: Claims, account_id: str = "") -> Response:
    if account_id == CLEARING_ACCOUNT:
        raise HTTPException(403, "no customer's account")
    return await _passed_on(request, claims, "account:read_balance")


@app.get("/accounts/{account_id}/transactions")
async def _transactions(request: Request, claims: Claims) -> Response:
    return await _passed_on(request, claims, "account:read_transactions")


@app.post("/imports")
async def _imports(request: Request, claims: Claims) -> Response:
    return await _passed_on(request, claims, "account:read_balance")


@app.post("/transfers")
async def _transfers(request: Request, claims: Claims) -> Response:
    return await _passed_on(request, claims, "account:transfer")


@contextmanager
def _start(place: Place) -> Iterator[Running]:
    [port] = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", f"{__name__}:app", "--port", str(port), "--no-access-log"]
    command += ["--log-level", "warning", "--workers", str(place.workers)]
    settings = {
        "ISSUER": place.issuer,
        "JWKS_URI": f"{place.issuer_url}/jwks",
        "UPSTREAM_URL": f"http://127.0.0.1:{place.upstream_port}",
    }
    with running(command, place.folder, port, place.cores, settings) as pid:
        yield Running(port, pid)


USUAL = Gateway("FastAPI + httpx2 + PyJWT", _start, has_conditions=True)
