"""Twins that take what the issuer made for somebody else (RFC 8725 §3.12, RFC 9068 §4)."""

from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.twin import twin


@twin("RS-57", "takes an ID token for an access token")
def takes_id_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token with a nonce, as the customer's."""
    return accepting(stack, _as_access_token)


def _as_access_token(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
    if "nonce" not in claims:
        return None
    return {
        "aud": "https://account.api.example.com",
        "client_id": AGENT,
        "act": {"sub": AGENT},
        "scope": "account:read_balance",
    }


@twin("RS-58", "takes the customer's subject token")
def takes_subject_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Accept a token that was made for the exchange."""
    return accepting(stack, lambda _header, claims: _exchanged(claims) if "may_act" in claims else None)


@twin("RS-58", "takes the agent's actor token")
def takes_actor_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Accept the agent in person, as if the demo's customer had come."""
    issuer = stack.context.settings.issuer

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        is_actor_token = claims.get("aud") == issuer and "act" not in claims
        return _exchanged(claims) | {"sub": "customer@example.com"} if is_actor_token else None

    return accepting(stack, flawed)


def _exchanged(claims: dict[str, Any]) -> dict[str, Any]:
    return {
        **claims,
        "may_act": None,
        "aud": "https://account.api.example.com",
        "client_id": AGENT,
        "act": {"sub": AGENT},
        "scope": "account:read_balance",
    }
