"""Twins whose resource takes tokens that are wrong in one claim or in their type."""

import time
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import delegation.verification
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

AUDIENCE = "https://account.api.example.com"
CUSTOMER = "customer@example.com"


def _without(stack: InProcess, name: str, value: Any) -> AbstractContextManager[None]:
    """Accept tokens in which a claim is missing, as if it had this value."""
    return accepting(stack, lambda _header, claims: None if name in claims else {name: value})


@twin("RS-49", "does not look at typ")
def ignores_typ(_stack: InProcess) -> AbstractContextManager[object]:
    """Accept every typ that the check sends."""
    sent = ("jwt", "id+jwt", "client-authentication+jwt", "secevent+jwt", "none")
    every = frozenset({"at+jwt", "application/at+jwt", *sent})
    return patch.object(delegation.verification, "ACCESS_TOKEN_TYPES", every)


@twin("RS-50", "does not require jti")
def requires_no_jti(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token without an identifier."""
    return _without(stack, "jti", "none")


@twin("RS-50", "does not require iat")
def requires_no_iat(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token that does not say when it was issued."""
    return _without(stack, "iat", int(time.time()))


@twin("RS-50", "does not require client_id")
def requires_no_client_id(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token that does not say which client asked for it."""

    def flawed(header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        is_access_token = "act" in claims and header.get("typ") == "at+jwt"
        return {"client_id": AGENT} if "client_id" not in claims and is_access_token else None

    return accepting(stack, flawed)


@twin("RS-50", "does not require sub")
def requires_no_sub(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token of nobody, as the demo's customer's."""
    return _without(stack, "sub", CUSTOMER)


@twin("RS-51", "takes any issuer whose identifier begins like the right one")
def compares_the_beginning_of_iss(stack: InProcess) -> AbstractContextManager[None]:
    """Accept an address below, and a host name beyond, the issuer's."""
    issuer = stack.context.settings.issuer

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        found = str(claims.get("iss"))
        return {"iss": issuer} if found != issuer and found.startswith(issuer) else None

    return accepting(stack, flawed)


@twin("RS-51", "does not require iss", also={"RS-50": Verdict.FAIL})
def requires_no_iss(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token of no issuer."""
    return _without(stack, "iss", stack.context.settings.issuer)


@twin("RS-51", "takes any audience that begins like its own")
def compares_the_beginning_of_aud(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token for a host whose name goes on."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        found = str(claims.get("aud"))
        return {"aud": AUDIENCE} if found != AUDIENCE and found.startswith(AUDIENCE) else None

    return accepting(stack, flawed)


@twin("RS-51", "does not require aud", also={"RS-50": Verdict.FAIL})
def requires_no_aud(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token that is for nobody in particular."""
    return _without(stack, "aud", AUDIENCE)


@twin("RS-59", "takes expired tokens")
def forgives_expiry(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token from yesterday."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        now = int(time.time())
        return {"exp": now + 300} if _number(claims.get("exp")) < now - 3600 else None

    return accepting(stack, flawed)


@twin("RS-59", "takes a token without exp for one that never expires", also={"RS-50": Verdict.FAIL})
def requires_no_exp(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token without an end."""
    return _without(stack, "exp", int(time.time()) + 300)


@twin("RS-59", "reads exp from a text")
def reads_exp_from_a_text(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token whose end is no number (RFC 7519 §4.1.4)."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        end = claims.get("exp")
        return {"exp": int(end)} if isinstance(end, str) and end.isdigit() else None

    return accepting(stack, flawed)


@twin("RS-59", "does not look at nbf")
def ignores_nbf(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token for tomorrow."""
    return accepting(stack, lambda _header, claims: {"nbf": None} if "nbf" in claims else None)


@twin("RS-87", "does not look at iat")
def ignores_iat(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token from tomorrow."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        now = int(time.time())
        return {"iat": now} if _number(claims.get("iat")) > now + 3600 else None

    return accepting(stack, flawed)


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else time.time()
