"""Every check, a module for each part of the protocol."""

from tests.e2e.checks import (
    actor_claim,
    exchange_answer,
    exchange_errors,
    exchange_form,
    exchange_limits,
    exchange_request,
    resource_tokens,
)

__all__ = [
    "actor_claim",
    "exchange_answer",
    "exchange_errors",
    "exchange_form",
    "exchange_limits",
    "exchange_request",
    "resource_tokens",
]
