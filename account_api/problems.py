"""The faults that a caller is told about, as problem details with stable types (RFC 9457).

No text in here repeats what the caller sent: these texts go into records and logs too.
"""

from collections.abc import Sequence
from typing import Final

from account_api.money import Money
from delegation.problem import Problem

BASE: Final = "https://delegation-bank.example/problems/"
RETRY_AFTER_SECONDS: Final = 2


def account_not_found() -> Problem:
    """No such account, or another customer's: one answer for both, so that it tells nothing about others."""
    return Problem(
        404,
        "The customer has no account with this id. GET /accounts lists the accounts there are.",
        kind=BASE + "account-not-found",
        title="Account not found",
    )


def recipient_unknown(payees: Sequence[str], own_accounts: Sequence[dict[str, str]]) -> Problem:
    """The transfer goes neither to a saved payee nor to an account of the customer's own."""
    return Problem(
        422,
        "The recipient is neither a saved payee nor an own account. Choose one of those listed here.",
        kind=BASE + "recipient-unknown",
        title="Recipient unknown",
        payees=list(payees),
        own_accounts=list(own_accounts),
    )


def same_account() -> Problem:
    """The transfer would go to the account that it comes from."""
    return Problem(
        422,
        "A transfer must go to another account than the one it comes from.",
        kind=BASE + "same-account",
        title="Same account",
    )


def currency_mismatch(currency: str) -> Problem:
    """The ordered currency is not that of both accounts; `currency` is the paying account's."""
    return Problem(
        422,
        f"This account pays in {currency}, to accounts in {currency} only. Order the amount in {currency}.",
        kind=BASE + "currency-mismatch",
        title="Currency mismatch",
        currency=currency,
    )


def insufficient_funds() -> Problem:
    """The amount is more than what is available; the answer does not say how much that is."""
    return Problem(
        422,
        "More than what is available on the account. Read its balance; order less, or use another account.",
        kind=BASE + "insufficient-funds",
        title="Insufficient funds",
    )


def transfer_limit_exceeded(limit: Money) -> Problem:
    """The order is for more than the token's `authorization_details` allow (RFC 9396 §9.1)."""
    return Problem(
        403,
        f"This agent may transfer {limit.amount_minor} minor units at most at a time, and this is more. "
        "Nothing was booked. Order less, or ask the bank to raise the agent's limit.",
        kind=BASE + "transfer-limit-exceeded",
        title="Over the agent's transfer limit",
        limit=limit.model_dump(),
    )


def idempotency_key_missing() -> Problem:
    """The order could not be repeated safely (draft-ietf-httpapi-idempotency-key-header §2.7)."""
    return Problem(
        400,
        "Send an Idempotency-Key header: a new random value for each order, the same one for its repeats.",
        kind=BASE + "idempotency-key-missing",
        title="Idempotency-Key missing",
    )


def idempotency_key_reused() -> Problem:
    """The key already stands for another order."""
    return Problem(
        422,
        "This Idempotency-Key stands for another order. Nothing was booked; a new order takes a new key.",
        kind=BASE + "idempotency-key-reused",
        title="Idempotency-Key reused",
    )


def cursor_invalid() -> Problem:
    """The cursor was not made by this service."""
    return Problem(
        422,
        "The cursor is not valid. Use next_cursor as the previous page gave it, or begin without one.",
        kind=BASE + "cursor-invalid",
        title="Cursor invalid",
    )


def request_invalid(errors: Sequence[dict[str, str]]) -> Problem:
    """The request does not have the form that the OpenAPI document describes."""
    return Problem(
        422,
        "The request is not valid. Correct what is listed under errors and send it again.",
        kind=BASE + "request-invalid",
        title="Request invalid",
        errors=list(errors),
    )


def mcp_message_invalid() -> Problem:
    """The body at `/mcp` is JSON, and no message of the protocol that a client may send."""
    return Problem(
        400,
        "Send one JSON-RPC 2.0 request or notification: an object with jsonrpc, method and, if an answer is "
        "wanted, an id that is text or an integer. Batches are not taken.",
        kind=BASE + "mcp-message-invalid",
        title="MCP message invalid",
    )


def temporarily_unavailable(what: str) -> Problem:
    """Something that the decision needs cannot be had, so the answer is no, for now."""
    return Problem(
        503,
        f"{what} cannot be used at the moment, so nothing was done. Send the same request again shortly.",
        kind=BASE + "temporarily-unavailable",
        title="Temporarily unavailable",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def internal_error() -> Problem:
    """A fault of this service's own."""
    return Problem(
        500,
        "The service made a mistake, which its log describes. Sending the request again may not help.",
        kind=BASE + "internal-error",
        title="Internal error",
    )
