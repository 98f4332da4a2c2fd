"""The double-entry ledger: what leaves one account arrives at another, and a balance is a sum of entries."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from account_api import tables

_LOCKED: Final = (
    select(tables.account.c.id)
    .where(tables.account.c.id.in_(bindparam("account_ids", expanding=True)))
    .order_by(tables.account.c.id)
    .with_for_update()
)


class Unbalanced(Exception):
    """Entries that would create or destroy money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One side of a transaction: `amount_minor` is added to the account's balance, and negative if it leaves.

    `counterparty` is the name of the other side, as this account's holder reads it.
    """

    account_id: str
    amount_minor: int
    counterparty: str
    description: str
    category: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """Entries that belong together.

    Raises:
        Unbalanced: they do not sum to zero, or one of them moves nothing.
    """

    transaction_id: str
    booked_at: datetime
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        amounts = [entry.amount_minor for entry in self.entries]
        if not amounts or 0 in amounts or sum(amounts) != 0:
            raise Unbalanced("a transaction's entries must move money and sum to zero")


def post(db: Connection, transactions: Iterable[Transaction]) -> None:
    """Book transactions in this order.

    Leaves unchecked whether the accounts are good for it: that is the caller's to decide, under `lock`.
    """
    rows = [
        {"transaction_id": transaction.transaction_id, "booked_at": transaction.booked_at} | asdict(entry)
        for transaction in transactions
        for entry in transaction.entries
    ]
    db.execute(tables.entry.insert(), rows)


def lock(db: Connection, account_ids: Iterable[str]) -> None:
    """Keep other transactions from booking on these accounts until this one ends.

    Always in the order of their ids, so that two transactions never wait for each other. SQLite needs no row
    locks: its transactions already run one after the other.
    """
    db.execute(_LOCKED, {"account_ids": list(account_ids)}).all()
