"""Whose accounts, and how much is on them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import Connection, bindparam, func, literal_column, select

from account_api import problems, tables
from delegation.prepared import Prepared

ACCOUNT_ID: Final = re.compile(r"[0-9]{4}-[0-9]{2}")

_account: Final = tables.account.c
_HELD: Final = (
    select(
        *(_account.id, _account.name, _account.type, _account.currency, _account.overdraft_limit_minor),
        func.coalesce(func.sum(tables.entry.c.amount_minor), literal_column("0")),
    )
    .join_from(tables.account, tables.entry, isouter=True)
    .where(_account.owner == bindparam("sub"))
    .group_by(_account.id)
)
_ALL_HELD: Final = Prepared(_HELD.order_by(_account.id))
_HELD_ACCOUNT: Final = Prepared(_HELD.where(_account.id == bindparam("wanted")))


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
    def of_row(cls, row: tuple[Any, ...]) -> Self:
        """Read a row of the statements above."""
        account_id, name, type_, currency, overdraft_limit_minor, balance_minor = row
        return cls(
            account_id=account_id,
            name=name,
            type=type_,
            currency=currency,
            balance_minor=int(balance_minor),  # PostgreSQL's sum of integers is a decimal number
            overdraft_limit_minor=overdraft_limit_minor,
        )


def held_by(db: Connection, sub: str) -> Sequence[HeldAccount]:
    """Return the customer's accounts in the order of their ids; none for an unknown customer."""
    return [HeldAccount.of_row(row) for row in _ALL_HELD.rows(db, {"sub": sub})]


def held_account(db: Connection, sub: str, account_id: str) -> HeldAccount:
    """Return one of the customer's accounts.

    Raises:
        Problem: 404, the same for another customer's account as for one that does not exist, after the same
            query, so that neither the answer nor its time tells them apart.
    """
    # PostgreSQL would choke on a NUL character; what has not the form of an id is not an account.
    wanted = account_id if ACCOUNT_ID.fullmatch(account_id) else ""
    row = _HELD_ACCOUNT.row(db, {"sub": sub, "wanted": wanted})
    if row is None:
        raise problems.account_not_found()
    return HeldAccount.of_row(row)
