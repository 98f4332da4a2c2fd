"""What goes over the wire: requests and answers, as the OpenAPI document shows them."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Row

from account_api.accounts import HeldAccount
from account_api.money import Money, TransferAmount

AccountType = Literal["checking", "savings", "credit_card"]
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def calendar_day(value: object) -> object:
    """Read a day as YYYY-MM-DD, and keep pydantic from taking a number of seconds for one.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(value, str):
        return value
    if not _DAY.fullmatch(value):
        raise ValueError("must be a date as YYYY-MM-DD")
    return date.fromisoformat(value)


def _printable(text: str) -> str:
    # Keeps out what PostgreSQL cannot store (NUL) and what turns text around on a screen (bidi controls).
    if not text.isprintable():
        raise ValueError("must have printable characters only, no line breaks or control characters")
    return text


PrintableText = Annotated[str, AfterValidator(_printable)]
Day = Annotated[date | None, BeforeValidator(calendar_day)]
AccountId = Annotated[str, Field(description="An account's id", examples=["4001-01"])]
IdempotencyKey = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[!-~]+$",
        description="A new random value for each order; a repeat with the same value is answered alike.",
    ),
]


class Account(BaseModel):
    """An account of the customer. `available` is the balance and what it may go below zero."""

    account_id: str
    name: str
    type: AccountType
    balance: Money
    available: Money

    @classmethod
    def of(cls, held: HeldAccount, **more: Any) -> Self:  # noqa: ANN401 - what the class has beyond these
        """Show an account."""
        return cls(
            account_id=held.account_id,
            name=held.name,
            type=held.type,
            balance=Money(amount_minor=held.balance_minor, currency=held.currency),
            available=Money(amount_minor=held.available_minor, currency=held.currency),
            **more,
        )


class AccountList(BaseModel):
    """The customer's accounts."""

    accounts: list[Account]


class Balance(Account):
    """An account's balance at one moment."""

    as_of: datetime


class Transaction(BaseModel):
    """One entry of an account. `amount` is negative when it left the account."""

    transaction_id: str
    booked_at: datetime
    description: str
    counterparty: str
    category: str
    amount: Money
    balance_after: Money

    @classmethod
    def of(cls, row: Row[Any], currency: str) -> Self:
        """Show a row of `transactions.page`."""
        return cls(
            transaction_id=row.transaction_id,
            booked_at=row.booked_at,
            description=row.description,
            counterparty=row.counterparty,
            category=row.category,
            amount=Money(amount_minor=row.amount_minor, currency=currency),
            balance_after=Money(amount_minor=int(row.balance_after_minor), currency=currency),
        )


class TransactionsQuery(BaseModel):
    """Which of an account's entries."""

    booked_from: Annotated[Day, Field(alias="from", description="First day (UTC) of booking")] = None
    booked_to: Annotated[Day, Field(alias="to", description="Last day (UTC) of booking")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=64, description="`next_cursor` of a page")] = None


class TransactionPage(BaseModel):
    """Entries, newest first. `next_cursor` gives the next page; it is null on the last."""

    account_id: str
    transactions: list[Transaction]
    next_cursor: str | None


class TransferRequest(BaseModel):
    """An order to pay. `to` is the id of an own account or the name of a saved payee, in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_account: Annotated[str, Field(min_length=1, max_length=16, examples=["4001-01"])]
    to: Annotated[PrintableText, Field(min_length=1, max_length=70, examples=["Maria Lopez", "4001-02"])]
    amount: TransferAmount
    memo: Annotated[PrintableText, Field(max_length=140)] | None = None


class Recipient(BaseModel):
    """Where a transfer went."""

    name: str
    kind: Literal["own_account", "payee"]


class Transfer(BaseModel):
    """A booked transfer. `balance_after` is the paying account's; `transfer_id` is its transaction_id."""

    transfer_id: str
    from_account: str
    to: Recipient
    amount: Money
    memo: str | None
    booked_at: datetime
    balance_after: Money


class RecordList(BaseModel):
    """The customer's records; `next` is what `before` takes for the page after this one."""

    records: list[dict[str, Any]]
    next: int | None = None
