"""What the tools return to the model: the account API's answers, read strictly, without surplus."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from chatbot.money import Money


class Account(BaseModel):
    """An account; `available` is what can be spent from it."""

    account_id: str
    name: str
    type: str
    balance: Money
    available: Money


class AccountList(BaseModel):
    """The customer's accounts."""

    accounts: list[Account]


class Balance(Account):
    """An account's balance at one moment."""

    as_of: datetime


class Transaction(BaseModel):
    """One entry of an account. Description and counterparty are text that others wrote."""

    booked_at: datetime
    description: str
    counterparty: str
    category: str
    amount: Money


class TransactionPage(BaseModel):
    """Entries, newest first; `next_cursor` leads to older ones."""

    account_id: str
    transactions: list[Transaction]
    next_cursor: str | None


class Recipient(BaseModel):
    """Where a transfer went."""

    name: str
    kind: Literal["own_account", "payee"]


class TransferReceipt(BaseModel):
    """A transfer that was made; `balance_after` is the paying account's."""

    transfer_id: str
    from_account: str
    to: Recipient
    amount: Money
    memo: str | None = None
    booked_at: datetime
    balance_after: Money
