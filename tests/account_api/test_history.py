"""Shows the seeded history: believable on whatever day it is made, the same each time, made once."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from account_api.history import DAYS, history
from account_api.households import HOUSEHOLDS, Household
from account_api.ledger import Transaction
from tests.account_api.banks import READ, Bank

DIRECTORY = {household.name: household.checking for household in HOUSEHOLDS}
DAYS_OF_A_LIFETIME = st.dates(date(2020, 1, 1), date(2060, 12, 31))


def lived(household: Household, today: date) -> list[Transaction]:
    return history(household, today, DIRECTORY, "elsewhere")


@given(household=st.sampled_from(HOUSEHOLDS), today=DAYS_OF_A_LIFETIME)
@settings(max_examples=25, deadline=None)
def test_on_any_day_no_account_was_ever_overdrawn_and_balances_are_believable(
    household: Household, today: date
) -> None:
    least = {household.checking: 0, household.savings: 0, household.card: -household.card_limit_minor}
    balances = Counter[str]()
    for transaction in lived(household, today):
        for entry in transaction.entries:
            balances[entry.account_id] += entry.amount_minor
            assert balances[entry.account_id] >= least.get(entry.account_id, balances[entry.account_id])
    # Over every day of these years it lies between 22,794 and 1,097,035.
    assert 20_000 < balances[household.checking] < 1_500_000
    assert balances[household.savings] > household.opening_savings_minor
    assert balances[household.card] <= 0


@given(household=st.sampled_from(HOUSEHOLDS), today=DAYS_OF_A_LIFETIME)
@settings(max_examples=25, deadline=None)
def test_it_ends_on_the_day_before_and_has_six_months_of_salary_and_rent(
    household: Household, today: date
) -> None:
    transactions = lived(household, today)
    assert transactions == sorted(transactions, key=lambda transaction: transaction.booked_at)
    assert transactions[-1].booked_at < datetime(today.year, today.month, today.day, tzinfo=UTC)
    assert (today - transactions[0].booked_at.date()).days == DAYS
    kinds = Counter(transaction.entries[0].category for transaction in transactions)
    assert 5 <= kinds["income"] <= 7
    assert 6 <= kinds["housing"] <= 7
    assert kinds["card repayment"] >= 4
    assert kinds["groceries"] > 26


def test_the_same_day_gives_the_same_history() -> None:
    today = date(2026, 6, 15)
    assert lived(HOUSEHOLDS[0], today) == lived(HOUSEHOLDS[0], today)
    assert lived(HOUSEHOLDS[0], today) != lived(HOUSEHOLDS[1], today)


@pytest.mark.parametrize("household", HOUSEHOLDS, ids=lambda household: household.name)
def test_every_customer_begins_with_checking_savings_and_a_credit_card(
    bank: Bank, household: Household
) -> None:
    token = bank.issuer.app_token(READ, sub=household.sub)
    checking, savings, card = bank.get("/accounts", token).json()["accounts"]
    assert [account["type"] for account in (checking, savings, card)] == [
        "checking",
        "savings",
        "credit_card",
    ]
    assert checking["balance"]["amount_minor"] > 0
    assert savings["balance"]["amount_minor"] > 0
    assert card["balance"]["amount_minor"] < 0


def test_the_seeded_ledger_sums_to_zero(bank: Bank) -> None:
    assert bank.ledger.unbalanced_transactions() == []
