"""Every check, a module for each part of the protocol."""

from tests.e2e.checks import (
    actor_claim,
    actor_token,
    chain,
    delegated_scope,
    delegation_expiry,
    delegation_target,
    exchange_answer,
    exchange_errors,
    exchange_form,
    exchange_limits,
    exchange_request,
    may_act,
    resource_tokens,
    subject_token,
    untrusted_issuer,
)

__all__ = [
    "actor_claim",
    "actor_token",
    "chain",
    "delegated_scope",
    "delegation_expiry",
    "delegation_target",
    "exchange_answer",
    "exchange_errors",
    "exchange_form",
    "exchange_limits",
    "exchange_request",
    "may_act",
    "resource_tokens",
    "subject_token",
    "untrusted_issuer",
]
