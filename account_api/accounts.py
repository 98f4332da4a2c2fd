"""Whose accounts, and how much is on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, Select, func, select

from account_api import problems, tables

ACCOUNT_ID: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """A customer's account. Amounts are in minor units of `currency`."""

    account_id: str
    name: str
    type: str
    currency: str
    balance_minor: int
    overdraft_limit_minor: int

    @property
    def available_minor(self) -> int:
        """Return what may be paid from the account: the balance and what it may go below zero."""
        return self.balance_minor + self.overdraft_limit_minor

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        """Read a row of `_held`."""
        return cls(
            account_id=row.id,
            name=row.name,
            type=row.type,
            currency=row.currency,
            balance_minor=int(row.balance_minor),
            overdraft_limit_minor=row.overdraft_limit_minor,
        )


def held_by(db: Connection, sub: str) -> Sequence[HeldAccount]:
    """Return the customer's accounts in the order of their ids; none for an unknown customer."""
    return [HeldAccount.of_row(row) for row in db.execute(_held(sub).order_by(tables.account.c.id))]


def held_account(db: Connection, sub: str, account_id: str) -> HeldAccount:
    """Return one of the customer's accounts.

    Raises:
        Problem: 404, the same for another customer's account as for one that does not exist, after the same
            query, so that neither the answer nor its time tells them apart.
    """
    # PostgreSQL would choke on a NUL character; what has not the form of an id is not an account.
    wanted = account_id if ACCOUNT_ID.fullmatch(account_id) else ""
    row = db.execute(_held(sub).where(tables.account.c.id == wanted)).one_or_none()
    if row is None:
        raise problems.account_not_found()
    return HeldAccount.of_row(row)


def _held(sub: str) -> Select[Any]:
    balance = func.coalesce(func.sum(tables.entry.c.amount_minor), 0).label("balance_minor")
    return (
        select(tables.account, balance)
        .join_from(tables.account, tables.entry, isouter=True)
        .where(tables.account.c.owner == sub)
        .group_by(tables.account.c.id)
    )
