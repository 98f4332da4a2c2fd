"""Every check, a module for each part of the protocol."""

from tests.e2e.checks import exchange_request, resource_tokens

__all__ = ["exchange_request", "resource_tokens"]
