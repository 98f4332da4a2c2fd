"""What the service works with: made once by `create_app`, found by each request."""

from dataclasses import dataclass

from starlette.requests import Request

from account_api.database import Database
from delegation.clock import Clock
from delegation.verification import TokenVerifier


@dataclass(frozen=True, kw_only=True)
class Bank:
    """`app_client_ids` are the clients whose tokens need no actor."""

    database: Database
    verifier: TokenVerifier
    app_client_ids: frozenset[str]
    resource_metadata_url: str
    clock: Clock


async def bank_of(request: Request) -> Bank:
    """Return what `create_app` made."""
    bank = request.app.state.bank
    assert isinstance(bank, Bank)  # noqa: S101 - tells the type checker; `state` has no types
    return bank
