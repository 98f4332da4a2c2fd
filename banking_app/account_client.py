"""The app's own view of a customer's accounts, read from the account API with the app token."""

from datetime import date, datetime
from typing import Final

import httpx2

from banking_app.money import Money
from banking_app.service_http import Document, Service

_PAGE: Final = 100
_MAX_PAGES: Final = 5


class Account(Document):
    """An account and what is on it."""

    account_id: str
    name: str
    type: str
    balance: Money
    available: Money


class Transaction(Document):
    """One entry of an account. Description and counterparty are other people's text."""

    transaction_id: str
    booked_at: datetime
    description: str
    counterparty: str | None = None
    category: str | None = None
    amount: Money
    balance_after: Money

    @property
    def memo(self) -> str:
        """Return what somebody has written besides counterparty and category; empty if nothing."""
        known = {"", (self.category or "").casefold()}
        return self.description if self.counterparty and self.description.casefold() not in known else ""


class _Accounts(Document):
    accounts: list[Account]


class _Transactions(Document):
    transactions: list[Transaction]
    next_cursor: str | None = None


class AccountClient:
    """Reads accounts and transactions. Every method raises `Failure` when it cannot."""

    def __init__(self, base_url: str, http: httpx2.Client) -> None:
        self._base_url = base_url
        self._service = Service(http, "account API", "Your accounts cannot be shown.")

    def accounts(self, token: str) -> list[Account]:
        """Return the customer's accounts."""
        response = self._service.call("GET", f"{self._base_url}/accounts", token)
        return self._service.document(response, _Accounts).accounts

    def transactions(self, token: str, account_id: str, since: date) -> list[Transaction]:
        """Return an account's transactions since a day, newest first, 500 at most."""
        url = f"{self._base_url}/accounts/{account_id}/transactions"
        parameters: dict[str, str | int] = {"from": since.isoformat(), "limit": _PAGE}
        found: list[Transaction] = []
        for _ in range(_MAX_PAGES):
            response = self._service.call("GET", url, token, parameters)
            page = self._service.document(response, _Transactions)
            found += page.transactions
            if page.next_cursor is None:
                break
            parameters["cursor"] = page.next_cursor
        return found
