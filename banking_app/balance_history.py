"""An account's balance day by day, derived from its transactions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from banking_app.account_client import Transaction
from banking_app.money import Money


@dataclass(frozen=True, slots=True)
class DayBalance:
    """What was on the account at the end of a day (UTC)."""

    day: date
    balance: Money


def balance_history(
    transactions: Iterable[Transaction], balance: Money, since: date, today: date
) -> list[DayBalance]:
    """Return the closing balance of each day from `since` to `today`.

    `transactions` are all entries since then, in any order; with none, the balance was the present one.
    Where the list was cut off, days before its oldest entry are left out.
    """
    entries = sorted(transactions, key=lambda entry: entry.booked_at)
    closing: dict[date, Money] = {entry.booked_at.date(): entry.balance_after for entry in entries}
    current = _opening(entries[0]) if entries else balance
    days = []
    for number in range((today - since).days + 1):
        day = since + timedelta(days=number)
        current = closing.get(day, current)
        days.append(DayBalance(day, current))
    return days


def _opening(first: Transaction) -> Money:
    before = first.balance_after.amount_minor - first.amount.amount_minor
    return Money(amount_minor=before, currency=first.balance_after.currency)
