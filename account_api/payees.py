"""Where a customer may send money: to saved payees and to accounts of the customer's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from account_api import problems, tables
from account_api.accounts import HeldAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """An account that money may go to, under the name that the paying customer knows it by."""

    account_id: str
    name: str
    kind: Literal["own_account", "payee"]
    currency: str
    is_customer_account: bool


def destination(db: Connection, sub: str, own: Mapping[str, HeldAccount], to: str) -> Destination:
    """Return the account of `own` with the id `to`, or else the saved payee of that name, in any case.

    Raises:
        Problem: 422 with the names that would be understood.
    """
    if to in own:
        return Destination(
            account_id=to,
            name=own[to].name,
            kind="own_account",
            currency=own[to].currency,
            is_customer_account=True,
        )
    saved = {_folded(payee.name): payee for payee in _saved(db, sub)}
    if _folded(to) in saved:
        return saved[_folded(to)]
    raise problems.recipient_unknown(
        [payee.name for payee in saved.values()],
        [{"account_id": held.account_id, "name": held.name} for held in own.values()],
    )


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _saved(db: Connection, sub: str) -> list[Destination]:
    rows = db.execute(
        select(tables.payee.c.name, tables.account.c.id, tables.account.c.currency, tables.account.c.owner)
        .join_from(tables.payee, tables.account)
        .where(tables.payee.c.owner == sub)
        .order_by(tables.payee.c.name)
    )
    return [
        Destination(
            account_id=row.id,
            name=row.name,
            kind="payee",
            currency=row.currency,
            is_customer_account=row.owner is not None,
        )
        for row in rows
    ]
