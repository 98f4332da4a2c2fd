"""What a customer can want, and what a conversation remembers of it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from chatbot.offline_model.amounts import Amount
from chatbot.offline_model.periods import Period

Slot = Literal["amount", "target", "source", "confirmation"]


@dataclass(frozen=True, slots=True)
class Balance:
    """How much is on accounts; `account_ids` None is all of them."""

    account_ids: tuple[str, ...] | None = None
    total: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened on accounts.

    `account_ids` None leaves the choice to the answer. `limit` is the number of transactions asked for,
    `term` what they must be about, `direction` whether money came in or went out. `least` and `most`
    bound the size of each.
    """

    account_ids: tuple[str, ...] | None = None
    every_account: bool = False
    period: Period | None = None
    limit: int | None = None
    term: str | None = None
    direction: Literal["in", "out"] | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    view: Literal["list", "sum", "largest"] = "list"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer, as far as the customer has described it; it is made only when `confirmed`.

    `source` and `target` are the own accounts that were named: several where the name fits several.
    """

    amount: Amount | None = None
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    payee: str | None = None
    memo: str | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class ListAccounts:
    """Which accounts there are."""


@dataclass(frozen=True, slots=True)
class NoSuchAccount:
    """A question about an account that is not among the customer's; `words` is what it was called."""

    words: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that needs no tool: the answer is `text`."""

    text: str


Task = Balance | Activity | Transfer
Intent = Task | ListAccounts | NoSuchAccount | Remark


@dataclass(frozen=True, slots=True)
class Context:
    """What the turns before leave behind: the last task, and what the customer was asked about it."""

    task: Task | None = None
    asked: Slot | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """An answer in words, and the context that it leaves."""

    text: str
    context: Context
