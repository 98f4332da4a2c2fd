"""Shows transfers: what is booked, what is refused and why, and that a repeated key books nothing again."""

from typing import Any

import pytest

from tests.account_api.banks import Bank, transfer_order
from tests.issuer import AGENT

PROBLEMS = "https://delegation-bank.example/problems/"


def test_a_transfer_to_a_payee_is_booked_and_answered_with_a_receipt(bank: Bank) -> None:
    before = bank.balance("4001-01")
    answer = bank.transfer("receipt", amount=2_550, to="city ENERGY", memo="June")
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt.pop("transfer_id")
    assert receipt == {
        "from_account": "4001-01",
        "to": {"name": "City Energy", "kind": "payee"},
        "amount": {"amount_minor": 2_550, "currency": "EUR"},
        "memo": "June",
        "booked_at": "2026-06-15T12:00:00Z",
        "balance_after": {"amount_minor": before - 2_550, "currency": "EUR"},
    }
    assert bank.balance("4001-01") == before - 2_550


def test_a_transfer_between_own_accounts_moves_the_money(bank: Bank) -> None:
    checking, savings = bank.balance("4001-01"), bank.balance("4001-02")
    answer = bank.transfer("own", amount=5_000, to="4001-02")
    assert answer.json()["to"] == {"name": "Savings", "kind": "own_account"}
    assert (bank.balance("4001-01"), bank.balance("4001-02")) == (checking - 5_000, savings + 5_000)


def test_the_receipts_id_is_the_transactions_id(bank: Bank) -> None:
    receipt = bank.transfer("same-id").json()
    newest = bank.get("/accounts/4001-01/transactions?limit=1").json()["transactions"][0]
    assert newest["transaction_id"] == receipt["transfer_id"]
    assert newest["balance_after"] == receipt["balance_after"]


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "to-nobody-known": ({"to": "Mallory"}, 422, "recipient-unknown"),
    "to-the-same-account": ({"to": "4001-01"}, 422, "same-account"),
    "in-another-currency": ({"currency": "USD"}, 422, "currency-mismatch"),
    "more-than-there-is": ({"from_account": "4001-02", "amount": 999_999_999}, 422, "insufficient-funds"),
    "from-no-account": ({"from_account": "9999-99"}, 404, "account-not-found"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_booked_is_refused_with_its_own_problem(bank: Bank, case: str) -> None:
    changes, status, kind = REFUSED[case]
    before = bank.ledger.balance("4001-01"), bank.ledger.balance("4001-02")
    answer = bank.transfer(case, **changes)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == PROBLEMS + kind
    assert (bank.ledger.balance("4001-01"), bank.ledger.balance("4001-02")) == before


def test_an_unknown_recipient_is_answered_with_those_that_are_known(bank: Bank) -> None:
    problem = bank.transfer("unknown", to="Mallory").json()
    assert {"Maria Lopez", "Sam Okafor", "City Energy", "Green Landlord"} <= set(problem["payees"])
    assert [account["account_id"] for account in problem["own_accounts"]] == ["4001-01", "4001-02", "4001-03"]


def test_an_account_may_go_to_its_limit_and_not_a_cent_further(bank: Bank) -> None:
    available = bank.ledger.balance("4001-03") + 300_000
    assert bank.transfer("too-far", from_account="4001-03", amount=available + 1).status_code == 422
    answer = bank.transfer("to-the-limit", from_account="4001-03", amount=available)
    assert answer.json()["balance_after"]["amount_minor"] == -300_000
    assert bank.transfer("one-more", from_account="4001-03", amount=1).status_code == 422


def test_the_same_key_and_body_give_the_first_answer_again_and_book_once(bank: Bank) -> None:
    first = bank.transfer("repeat", memo="only once")
    again = bank.transfer("repeat", memo="only once")
    assert (again.status_code, again.content) == (201, first.content)
    assert bank.ledger.booked()["only once"] == 1


def test_a_refusal_too_is_the_first_answer_again(bank: Bank) -> None:
    available = bank.ledger.balance("4001-02")
    first = bank.transfer("refused", from_account="4001-02", amount=available + 1)
    assert bank.transfer("income", to="4001-02", amount=1).status_code == 201
    again = bank.transfer("refused", from_account="4001-02", amount=available + 1)
    assert (again.status_code, again.content) == (422, first.content)


def test_the_same_key_with_another_body_is_422_and_books_nothing(bank: Bank) -> None:
    assert bank.transfer("reused", memo="reused key").status_code == 201
    for change in (
        {"amount": 101},
        {"to": "Sam Okafor"},
        {"memo": "reused key "},
        {"from_account": "4001-02"},
    ):
        answer = bank.transfer("reused", **{"memo": "reused key"} | change)
        assert answer.status_code == 422
        assert answer.json()["type"] == PROBLEMS + "idempotency-key-reused"
    assert bank.ledger.booked()["reused key"] == 1


def test_a_key_belongs_to_the_customer_the_client_and_the_actor_that_chose_it(bank: Bank) -> None:
    mint = bank.issuer.delegation_token
    tokens = [
        mint("account:transfer"),
        mint("account:transfer", client_id="https://other-agent.example.com"),
        mint("account:transfer", act={"sub": "https://other-agent.example.com", "act": {"sub": AGENT}}),
        bank.issuer.app_token("account:transfer"),
    ]
    for token in tokens:
        assert bank.transfer("mine", token=token, memo="own key").status_code == 201
    assert bank.ledger.booked()["own key"] == len(tokens)
    marias = mint("account:transfer", sub="maria@example.com")
    order = {"from_account": "4002-01", "to": "Alex Morgan", "memo": "Maria's own key"}
    assert bank.transfer("mine", token=marias, **order).status_code == 201


def limited(bank: Bank, most: int) -> str:
    details = [{"type": "account_transfer", "max_amount_minor": most}]
    return bank.issuer.delegation_token("account:transfer", authorization_details=details)


def test_a_transfer_of_just_the_tokens_limit_is_booked_and_a_cent_more_is_refused_and_recorded(
    bank: Bank,
) -> None:
    token, before = limited(bank, 5_000), bank.ledger.balance("4001-01")
    answer = bank.transfer("over-limit", token, amount=5_001)
    assert answer.status_code == 403
    problem = answer.json()
    assert problem["type"] == PROBLEMS + "transfer-limit-exceeded"
    assert problem["limit"] == {"amount_minor": 5_000, "currency": "EUR"}
    assert "5000 minor units at most" in problem["detail"]
    assert "Order less, or ask the bank to raise" in problem["detail"]
    assert bank.ledger.balance("4001-01") == before
    record = bank.ledger.records()[-1]
    assert (record.decision, record.operation, record.reason) == (
        "deny",
        "account.transfer",
        problem["detail"],
    )
    assert record.decision_id == answer.headers["Record-Id"]
    assert bank.transfer("at-the-limit", token, amount=5_000).status_code == 201
    assert bank.ledger.balance("4001-01") == before - 5_000


def test_the_limit_is_the_tokens_and_not_the_orders_outcome(bank: Bank) -> None:
    assert bank.transfer("again-with-more", limited(bank, 10), memo="limited").status_code == 403
    assert bank.transfer("again-with-more", limited(bank, 100), memo="limited").status_code == 201
    repeat = bank.transfer("again-with-more", limited(bank, 10), memo="limited")
    assert repeat.status_code == 201, "whoever repeats an order has to learn that it was booked"
    assert bank.ledger.booked()["limited"] == 1


def test_a_token_whose_limit_is_not_understood_is_no_token(bank: Bank) -> None:
    before = bank.ledger.balance("4001-01")
    for details in ([], [{"type": "account_transfer"}], [{"type": "other"}], {"max_amount_minor": 9}):
        token = bank.issuer.delegation_token("account:transfer", authorization_details=details)
        answer = bank.transfer("not-understood", token)
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert bank.ledger.balance("4001-01") == before


def test_a_transfer_without_a_key_is_refused(bank: Bank) -> None:
    token = bank.issuer.delegation_token("account:transfer")
    answer = bank.send("POST", "/transfers", token, json=transfer_order())
    assert answer.status_code == 400
    assert answer.json()["type"] == PROBLEMS + "idempotency-key-missing"
