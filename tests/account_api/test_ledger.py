"""Shows the ledger's properties for any orders: money is neither made nor lost, and no limit is passed."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from account_api.ledger import Entry, Transaction, Unbalanced
from tests.account_api.banks import Bank
from tests.clock import NOON

LIMITS = {"4001-01": 50_000, "4001-02": 0, "4001-03": 300_000}
ORDERS = st.lists(
    st.fixed_dictionaries(
        {
            "from_account": st.sampled_from(sorted(LIMITS)),
            "to": st.sampled_from(["Maria Lopez", "City Energy", "Nobody", *LIMITS]),
            "amount": st.one_of(st.integers(1, 200_000), st.sampled_from([1_000_000, 1_000_000_000])),
        }
    ),
    min_size=1,
    max_size=8,
)


@given(orders=ORDERS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_ordered_entries_sum_to_zero_and_no_account_passes_its_limit(
    bank: Bank, orders: list[dict[str, Any]]
) -> None:
    for order in orders:
        before = {account_id: bank.ledger.balance(account_id) for account_id in LIMITS}
        answer = bank.transfer(uuid.uuid4().hex, **order)
        after = {account_id: bank.ledger.balance(account_id) for account_id in LIMITS}
        assert answer.status_code in {201, 422}
        if answer.status_code == 201:
            before[order["from_account"]] -= order["amount"]
            if order["to"] in LIMITS:
                before[order["to"]] += order["amount"]
        assert after == before
    assert bank.ledger.unbalanced_transactions() == []
    assert all(bank.ledger.balance(account_id) >= -limit for account_id, limit in LIMITS.items())


@given(amounts=st.lists(st.integers(-1_000, 1_000), max_size=4))
@settings(deadline=None)
def test_entries_that_do_not_sum_to_zero_are_no_transaction(amounts: list[int]) -> None:
    entries = tuple(
        Entry(account_id="x", amount_minor=amount, counterparty="", description="", category="")
        for amount in amounts
    )
    if amounts and sum(amounts) == 0 and 0 not in amounts:
        assert Transaction("t", NOON, entries).entries == entries
    else:
        with pytest.raises(Unbalanced):
            Transaction("t", NOON, entries)
