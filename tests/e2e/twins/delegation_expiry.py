"""Twins whose delegation tokens outlive what they came of (RFC 9700 §4.10)."""

from contextlib import AbstractContextManager
from datetime import datetime
from unittest.mock import patch

import auth_server.token_exchange
from auth_server.delegation_rules import DELEGATION_TOKEN_LIFE, ExchangeRequest
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin


@twin("TX-30", "issues delegation tokens that outlive their subject token")
def outlives_the_subject_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at the actor token and the maximum."""

    def expiry(request: ExchangeRequest, now: datetime) -> datetime:
        return min(request.actor.expires_at, now + DELEGATION_TOKEN_LIFE)

    return patch.object(auth_server.token_exchange, "delegation_expiry", expiry)


@twin("TX-30", "issues delegation tokens that outlive their actor token")
def outlives_the_actor_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at the subject token and the maximum."""

    def expiry(request: ExchangeRequest, now: datetime) -> datetime:
        return min(request.subject.expires_at, now + DELEGATION_TOKEN_LIFE)

    return patch.object(auth_server.token_exchange, "delegation_expiry", expiry)


@twin("TX-30", "issues delegation tokens that live as long as both tokens")
def has_no_maximum(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at both tokens, and neither at the agent's maximum nor at the server's."""

    def expiry(request: ExchangeRequest, _now: datetime) -> datetime:
        return min(request.subject.expires_at, request.actor.expires_at)

    return patch.object(auth_server.token_exchange, "delegation_expiry", expiry)
