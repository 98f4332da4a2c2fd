"""The first content of an empty database: the bank, its customers and their last six months."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from account_api import ledger, tables
from account_api.history import history
from account_api.households import HOUSEHOLDS, Household

CURRENCY: Final = "EUR"
CLEARING_ACCOUNT: Final = "0000-01"
"""Stands for every account at other banks: what leaves this bank arrives here."""


def seed_if_empty(db: Connection, now: datetime) -> None:
    """Write the first content into a database without customers; it ends on the day before `now`."""
    if db.scalar(select(tables.customer.c.sub).limit(1)) is not None:
        return
    _open_accounts(db)
    directory = {household.name: household.checking for household in HOUSEHOLDS}
    transactions = [
        transaction
        for household in HOUSEHOLDS
        for transaction in history(household, now.date(), directory, CLEARING_ACCOUNT)
    ]
    ledger.post(db, sorted(transactions, key=lambda transaction: transaction.booked_at))
    payees = [
        {"owner": household.sub, "name": name, "account_id": directory.get(name, CLEARING_ACCOUNT)}
        for household in HOUSEHOLDS
        for name in household.payees
    ]
    db.execute(insert(tables.payee), payees)


def _open_accounts(db: Connection) -> None:
    db.execute(insert(tables.customer), [{"sub": each.sub, "name": each.name} for each in HOUSEHOLDS])
    clearing = _account(CLEARING_ACCOUNT, None, "Clearing", "clearing", None)
    held = [account for household in HOUSEHOLDS for account in _accounts_of(household)]
    db.execute(insert(tables.account), [clearing, *held])


def _accounts_of(household: Household) -> list[dict[str, object]]:
    return [
        _account(household.checking, household.sub, "Checking", "checking", household.overdraft_limit_minor),
        _account(household.savings, household.sub, "Savings", "savings", 0),
        _account(household.card, household.sub, "Credit card", "credit_card", household.card_limit_minor),
    ]


def _account(
    account_id: str, owner: str | None, name: str, kind: str, limit_minor: int | None
) -> dict[str, object]:
    return {
        "id": account_id,
        "owner": owner,
        "name": name,
        "type": kind,
        "currency": CURRENCY,
        "overdraft_limit_minor": limit_minor,
    }
