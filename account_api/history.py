"""A customer's last six months, drawn from how the household lives: the same ones for the same day.

Pure: no database and no clock. No account goes below zero on the way, but the credit card, which stays
within its limit.
"""

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from account_api.households import Habit, Household
from account_api.ledger import Entry, Transaction

DAYS: Final = 184
_PAYDAY: Final = 25
_SAVING_DAY: Final = 26
_STATEMENT_DAY: Final = 27
_FRIDAY: Final = 4
_RESERVE_MINOR: Final = 25_000
"""What people keep on the checking account for their bills when money is short before payday."""


@dataclass(frozen=True, slots=True)
class _Party:
    account_id: str
    name: str


def history(
    household: Household, today: date, directory: Mapping[str, str], elsewhere: str
) -> list[Transaction]:
    """Return the transactions of the `DAYS` days before `today`, in the order of time.

    Args:
        household: who lives it.
        today: the first day (UTC) without a transaction.
        directory: checking accounts of this bank's customers, by name.
        elsewhere: the account that stands for everybody else's.
    """
    diary = _Diary(household, directory, elsewhere)
    first = today - timedelta(days=DAYS)
    diary.open(first)
    for number in range(DAYS):
        diary.live(first + timedelta(days=number))
    return sorted(diary.transactions, key=lambda transaction: transaction.booked_at)


class _Diary:
    """Lives one day after the other and knows what is left on each account."""

    def __init__(self, household: Household, directory: Mapping[str, str], elsewhere: str) -> None:
        self.transactions: list[Transaction] = []
        self._household = household
        self._directory = directory
        self._elsewhere = elsewhere
        # Not for secrets: the point of this generator is that it repeats itself.
        self._random = random.Random(household.sub)  # noqa: S311
        self._checking = _Party(household.checking, "Checking")
        self._savings = _Party(household.savings, "Savings")
        self._card = _Party(household.card, "Credit card")
        self._left = {
            household.checking: 0,
            household.savings: 0,
            household.card: household.card_limit_minor,
        }

    def open(self, day: date) -> None:
        """Carry the balances forward that were there before."""
        bank = _Party(self._elsewhere, "Delegation Bank")
        for account, amount in (
            (self._checking, self._household.opening_checking_minor),
            (self._savings, self._household.opening_savings_minor),
        ):
            self._move(day, 0, bank, account, amount, "Balance carried forward", "opening")

    def live(self, day: date) -> None:
        """Book what happens on one day, income before spending, so that no balance dips below zero."""
        household = self._household
        if day == _payday(day):
            employer = _Party(self._elsewhere, household.employer)
            self._move(day, 5, employer, self._checking, household.salary_minor, "Salary", "income")
        for bill in household.bills:
            if bill.day == day.day:
                payee = self._party(bill.counterparty)
                self._move(day, 7, self._checking, payee, bill.amount_minor, bill.description, bill.category)
        for habit in household.habits:
            if self._random.random() < habit.times_a_week / 7:
                self._buy(day, habit)
        if day.day == _SAVING_DAY:
            amount = household.monthly_saving_minor
            self._move(day, 21, self._checking, self._savings, amount, "Monthly saving", "savings")
        if day.day == _STATEMENT_DAY:
            owed = household.card_limit_minor - self._left[household.card]
            self._move(day, 22, self._checking, self._card, owed, "Credit card statement", "card repayment")

    def _buy(self, day: date, habit: Habit) -> None:
        shop = self._party(self._random.choice(habit.counterparties))
        payer = self._card if habit.by_card else self._checking
        amount = self._random.randint(habit.least_minor, habit.most_minor)
        hour = self._random.randint(8, 20)
        if not habit.by_card and self._left[payer.account_id] < _RESERVE_MINOR + amount:
            return
        self._move(day, hour, payer, shop, amount, habit.description, habit.category)

    def _party(self, name: str) -> _Party:
        return _Party(self._directory.get(name, self._elsewhere), name)

    def _move(
        self, day: date, hour: int, payer: _Party, payee: _Party, amount: int, description: str, category: str
    ) -> None:
        minute, second = self._random.randrange(60), self._random.randrange(60)
        if amount == 0 or self._left.get(payer.account_id, amount) < amount:
            return
        for party, change in ((payer, -amount), (payee, amount)):
            if party.account_id in self._left:
                self._left[party.account_id] += change
        entries = (
            self._entry(payer, payee, -amount, description, category),
            self._entry(payee, payer, amount, description, category),
        )
        transaction_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        booked_at = datetime.combine(day, time(hour, minute, second), UTC)
        self.transactions.append(Transaction(transaction_id, booked_at, entries))

    def _entry(self, holder: _Party, other: _Party, amount: int, description: str, category: str) -> Entry:
        outsider = holder.account_id not in self._left
        return Entry(
            account_id=holder.account_id,
            amount_minor=amount,
            counterparty=self._household.name if outsider else other.name,
            description=description,
            category=category,
        )


def _payday(day: date) -> date:
    """Return the month's 25th, or the Friday before if that is on a weekend."""
    payday = day.replace(day=_PAYDAY)
    return payday - timedelta(days=max(0, payday.weekday() - _FRIDAY))
