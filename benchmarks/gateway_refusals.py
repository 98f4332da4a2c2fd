"""What every gateway has to refuse before it is timed: one that lets any of these pass is not."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Final

import httpx2

from benchmarks.gateway_contender import BALANCE, CLEARING_ACCOUNT, Gateway, Running
from benchmarks.issuer import Issuer, namesake

_REFUSALS: Final = frozenset({400, 401, 403, 404, 405})
"""Any other status is no decision: a gateway that is broken refuses everything."""
_SCOPE: Final = "account:read_balance"
_PATIENCE_SECONDS: Final = 10.0
_BETWEEN_LOOKS_SECONDS: Final = 0.05

Call = tuple[str, str, str, str | None]
"""What is wrong with it, method, path, token."""


def bad_calls(issuer: Issuer, path: str, good: str) -> Iterator[Call]:
    """Yield calls that must be refused; `good` is a token that was accepted before, and may be remembered."""
    header, claims, signature = good.split(".")
    tokens = {
        "no token": None,
        "wrong signature": issuer.delegation_token(_SCOPE, key=namesake(issuer.key)),
        "signature of another token": ".".join(
            (header, claims, issuer.delegation_token(_SCOPE).split(".")[2])
        ),
        "alg none": ".".join((_encoded({"alg": "none", "typ": "at+jwt", "kid": issuer.key.kid}), claims, "")),
        "claims changed": ".".join((header, _with(claims, sub="another@example.com"), signature)),
        "expired": issuer.delegation_token(_SCOPE, life=-120),
        "no exp": issuer.delegation_token(_SCOPE, exp=None),
        "another audience": issuer.delegation_token(_SCOPE, aud="https://other.api.example.com"),
        "another issuer": issuer.delegation_token(_SCOPE, iss="https://other.example.com"),
        "another scope": issuer.delegation_token("account:read_transactions"),
        "no scope": issuer.delegation_token(""),
        "another agent": issuer.delegation_token(_SCOPE, act={"sub": "https://card-agent.example.com"}),
        "no actor": issuer.app_token(_SCOPE),
    }
    for what, token in tokens.items():
        yield what, "GET", path, token
    yield "another method", "DELETE", path, good
    yield "another path", "GET", "/accounts/acc-1/owner", good
    yield "a path outside", "GET", "/admin", good
    yield "scope of another operation", "POST", "/transfers", good


def wrongly_passed(gateway: Gateway, running: Running, issuer: Issuer, path: str = BALANCE) -> list[str]:
    """Return what a gateway let pass, or does not let pass although it must; empty if it may be timed.

    `path` is a balance that it must let the test issuer's customer read.
    """
    found = []
    with httpx2.Client(base_url=f"http://127.0.0.1:{running.port}", timeout=10) as http:
        token = issuer.delegation_token(_SCOPE)
        status = _settled(http, path, token, 200)
        if status != 200:
            found.append(f"a good call: {status}")
        for what, method, target, bad in bad_calls(issuer, path, token):
            status = _status(http, method, target, bad)
            if status not in _REFUSALS:
                found.append(f"{what}: {status}")
        if gateway.has_conditions:
            status = _status(http, "GET", f"/accounts/{CLEARING_ACCOUNT}/balance", token)
            if status != 403:
                found.append(f"what the condition forbids: {status}")
        if gateway.hears_of_ended_tokens:
            issuer.end(json.loads(_decoded(token.split(".")[1]))["jti"])
            status = _settled(http, path, token, 401)
            if status != 401:
                found.append(f"a token that has ended: {status}")
    return found


def _settled(http: httpx2.Client, path: str, token: str, wanted: int) -> int:
    """Return the status as soon as it is the wanted one, or the last: news takes a moment to come."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while (status := _status(http, "GET", path, token)) != wanted and time.monotonic() < until:
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    return status


def _status(http: httpx2.Client, method: str, path: str, token: str | None) -> int:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return http.request(method, path, headers=headers).status_code


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _with(claims: str, **changes: object) -> str:
    return _encoded(json.loads(_decoded(claims)) | changes)
