"""Twins that overlook what is wrong with a client assertion (RFC 7523 §3)."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection

import auth_server.exchanges
import auth_server.private_key_jwt
from auth_server.used_assertions import Assertion
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.twins.client_authentication import overlooking, with_right_assertion
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin

Claims = dict[str, Any]


def _overlooks(rule_id: str, name: str, flaw: str, shows: Callable[[Claims, str], bool]) -> None:
    """Register the twin that takes assertions with this flaw; `shows` is given the claims and the issuer."""

    def overlooks_it(stack: InProcess) -> AbstractContextManager[None]:
        """Take the assertion for right."""
        return overlooking(stack, lambda claims: shows(claims, stack.context.settings.issuer))

    overlooks_it.__name__ = name
    twin(rule_id, flaw)(overlooks_it)


def _expires(claims: Claims) -> int:
    value: int = claims.get("exp", 2**40)
    return value


def _overlooks_claim(claim: str) -> None:
    """Register the twins that overlook this claim where it is wrong, and where it is missing."""
    _overlooks(
        "AS-44",
        f"ignores_{claim}_of_assertions",
        f"does not look at {claim} of an assertion, if it is there",
        lambda claims, _issuer: _names_agent_besides(claim, claims) and claims.get(claim, AGENT) != AGENT,
    )
    _overlooks(
        "AS-44",
        f"takes_assertions_without_{claim}",
        f"takes assertions without {claim}",
        lambda claims, _issuer: _names_agent_besides(claim, claims) and claim not in claims,
    )


def _names_agent_besides(claim: str, claims: Claims) -> bool:
    return claims.get("iss" if claim == "sub" else "sub") == AGENT


_overlooks_claim("iss")
_overlooks_claim("sub")
_overlooks(
    "AS-44",
    "takes_assertions_without_an_end",
    "takes assertions that never expire",
    lambda claims, _issuer: "exp" not in claims,
)
_overlooks(
    "AS-44",
    "takes_expired_assertions",
    "takes assertions that have expired",
    lambda claims, _issuer: _expires(claims) < time.time(),
)
_overlooks(
    "AS-45",
    "takes_assertions_for_another_server",
    "takes assertions for any server",
    lambda claims, issuer: str(claims.get("aud", issuer)).endswith("server.example.net"),
)
_overlooks(
    "AS-45",
    "looks_how_the_audience_begins",
    "looks how the audience of an assertion begins",
    lambda claims, issuer: str(claims.get("aud")).startswith(f"{issuer}."),
)
_overlooks(
    "AS-45",
    "takes_assertions_for_nobody",
    "takes assertions without an audience",
    lambda claims, _issuer: "aud" not in claims,
)
_overlooks(
    "AS-86",
    "takes_assertions_for_several",
    "takes assertions that are for other servers too",
    lambda claims, issuer: isinstance(claims.get("aud"), list) and issuer in claims["aud"],
)
_overlooks(
    "AS-86",
    "takes_assertions_for_the_token_endpoint",
    "takes assertions for the token endpoint",
    lambda claims, issuer: claims.get("aud") == f"{issuer}/token",
)


@twin("AS-46", "does not remember which assertions were used")
@contextmanager
def forgets_assertions(_stack: InProcess) -> Iterator[None]:
    """Take each as often as it comes."""

    def unused(_connection: Connection, assertions: Sequence[Assertion]) -> list[bool]:
        return [True] * len(assertions)

    with (
        patch.object(auth_server.private_key_jwt, "use_once", unused),
        patch.object(auth_server.exchanges, "use_once", unused),
    ):
        yield


@twin("AS-46", "remembers the assertions that were used at each endpoint by itself")
def remembers_assertions_by_endpoint(stack: InProcess) -> AbstractContextManager[None]:
    """Take an assertion at introspection that was used for a token."""
    used: set[str] = set()

    async def handle(request: Request, forward: Forward) -> Response:
        assertion = request.form.get("client_assertion", "")
        if request.path == "/token":
            used.add(assertion)
        again = request.path == "/introspect" and bool(assertion) and assertion in used
        return await forward(with_right_assertion(stack, request) if again else request)

    return stack.auth_server.inside(layer(handle))
