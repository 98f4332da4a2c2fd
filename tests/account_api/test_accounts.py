"""Shows accounts, balances and transactions: balances are sums, pages are stable, days are filtered."""

from typing import Any

import pytest

from tests.account_api.banks import READ, Bank, open_bank
from tests.issuer import TestIssuer


def pages(bank: Bank, account_id: str, limit: int) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = bank.get(f"/accounts/{account_id}/transactions{query}").json()
        found.append(page["transactions"])
        cursor = page["next_cursor"]
    return found


def test_the_list_has_each_accounts_balance_and_what_is_available(bank: Bank) -> None:
    checking, savings, card = bank.get("/accounts").json()["accounts"]
    assert [account["type"] for account in (checking, savings, card)] == [
        "checking",
        "savings",
        "credit_card",
    ]
    for account in (checking, savings, card):
        one = bank.get(f"/accounts/{account['account_id']}/balance").json()
        assert one == account | {"as_of": "2026-06-15T12:00:00Z"}
    assert checking["available"]["amount_minor"] == checking["balance"]["amount_minor"] + 50_000
    assert savings["available"] == savings["balance"]


@pytest.mark.parametrize("account_id", ["4001-01", "4001-02", "4001-03"])
def test_a_balance_is_the_sum_of_the_accounts_entries(bank: Bank, account_id: str) -> None:
    entries = [entry for page in pages(bank, account_id, limit=100) for entry in page]
    assert sum(entry["amount"]["amount_minor"] for entry in entries) == bank.balance(account_id)
    running = 0
    for entry in reversed(entries):
        running += entry["amount"]["amount_minor"]
        assert entry["balance_after"]["amount_minor"] == running


def test_transactions_come_newest_first_and_twenty_at_a_time(bank: Bank) -> None:
    page = bank.get("/accounts/4001-01/transactions").json()["transactions"]
    assert len(page) == 20
    assert page == sorted(page, key=lambda entry: entry["booked_at"], reverse=True)


def test_pages_of_any_size_hold_every_entry_once(bank: Bank) -> None:
    whole = [entry for page in pages(bank, "4001-03", limit=100) for entry in page]
    for limit in (1, 7, len(whole)):
        assert [entry for page in pages(bank, "4001-03", limit) for entry in page] == whole


def test_a_new_entry_moves_none_of_the_older_pages(bank: Bank) -> None:
    first = bank.get("/accounts/4001-01/transactions?limit=5").json()
    address = f"/accounts/4001-01/transactions?limit=5&cursor={first['next_cursor']}"
    before = bank.get(address).json()
    assert bank.transfer("between-pages").status_code == 201
    assert bank.get(address).json() == before


def test_transactions_are_filtered_by_days_both_included(bank: Bank) -> None:
    everything = [entry for page in pages(bank, "4001-01", limit=100) for entry in page]
    answer = bank.get("/accounts/4001-01/transactions?from=2026-04-01&to=2026-04-05&limit=100").json()
    expected = [entry for entry in everything if "2026-04-01" <= entry["booked_at"][:10] <= "2026-04-05"]
    assert answer["transactions"] == expected
    assert {"2026-04-01", "2026-04-05"} <= {entry["booked_at"][:10] for entry in expected}


def test_a_filter_goes_on_over_pages(bank: Bank) -> None:
    query = "/accounts/4001-01/transactions?from=2026-04-01&to=2026-04-30"
    whole = bank.get(query + "&limit=100").json()["transactions"]
    first = bank.get(query + "&limit=5").json()
    second = bank.get(query + f"&limit=100&cursor={first['next_cursor']}").json()
    assert first["transactions"] + second["transactions"] == whole
    assert second["next_cursor"] is None


def test_days_without_entries_are_an_empty_page(bank: Bank) -> None:
    answer = bank.get("/accounts/4001-01/transactions?from=0001-01-01&to=0001-12-31").json()
    assert answer == {"account_id": "4001-01", "transactions": [], "next_cursor": None}
    assert bank.get("/accounts/4001-01/transactions?from=9999-12-31&to=9999-12-31").status_code == 200


def test_a_cursor_opens_no_other_account(bank: Bank) -> None:
    cursor = bank.get("/accounts/4001-01/transactions?limit=1").json()["next_cursor"]
    theirs = bank.get(f"/accounts/4002-01/transactions?cursor={cursor}")
    assert theirs.status_code == 404


def test_what_one_customer_pays_another_customer_receives(bank: Bank) -> None:
    before = bank.balance("4002-01", "maria@example.com")
    assert bank.transfer("to-maria", amount=1_234, memo="Concert tickets").status_code == 201
    assert bank.balance("4002-01", "maria@example.com") == before + 1_234
    marias = bank.issuer.app_token(READ, sub="maria@example.com")
    newest = bank.get("/accounts/4002-01/transactions?limit=1", marias).json()["transactions"][0]
    assert (newest["counterparty"], newest["description"]) == ("Alex Morgan", "Concert tickets")


def test_a_restart_keeps_everything(database_url: str, issuer: TestIssuer) -> None:
    with open_bank(database_url, issuer) as bank:
        assert bank.transfer("before-restart").status_code == 201
        before = pages(bank, "4001-01", limit=100)
        clock = bank.clock
    clock.forward(seconds=30)
    with open_bank(database_url, issuer, clock) as bank:
        assert pages(bank, "4001-01", limit=100) == before
