"""Whose accounts, and how much is on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, bindparam, func, select

from account_api import problems, tables

ACCOUNT_ID: Final = re.compile(r"[0-9]{4}-[0-9]{2}")

# Made once: to put a statement together takes longer than to run it.
_HELD: Final = (
    select(tables.account, func.coalesce(func.sum(tables.entry.c.amount_minor), 0).label("balance_minor"))
    .join_from(tables.account, tables.entry, isouter=True)
    .where(tables.account.c.owner == bindparam("sub"))
    .group_by(tables.account.c.id)
)
_ALL_HELD: Final = _HELD.order_by(tables.account.c.id)
_HELD_ACCOUNT: Final = _HELD.where(tables.account.c.id == bindparam("wanted"))


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
        """Read a row of the statements above."""
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
    return [HeldAccount.of_row(row) for row in db.execute(_ALL_HELD, {"sub": sub})]


def held_account(db: Connection, sub: str, account_id: str) -> HeldAccount:
    """Return one of the customer's accounts.

    Raises:
        Problem: 404, the same for another customer's account as for one that does not exist, after the same
            query, so that neither the answer nor its time tells them apart.
    """
    # PostgreSQL would choke on a NUL character; what has not the form of an id is not an account.
    wanted = account_id if ACCOUNT_ID.fullmatch(account_id) else ""
    row = db.execute(_HELD_ACCOUNT, {"sub": sub, "wanted": wanted}).one_or_none()
    if row is None:
        raise problems.account_not_found()
    return HeldAccount.of_row(row)
