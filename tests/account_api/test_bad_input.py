"""Shows that bad input is a clear problem document, never a 500, and never comes back in the answer."""

import json
from typing import Any

import pytest

from tests.account_api.banks import Bank, transfer_order

AMOUNTS: list[Any] = [
    0, -1, 1_000_000_001, 2**63, 10**300, 1.5, 100.0, "100", True, None, [100], {"amount_minor": 1},
]  # fmt: skip
ORDERS: dict[str, Any] = {
    **{f"amount {amount!r:.20}": transfer_order(amount) for amount in AMOUNTS},
    "currency in small letters": transfer_order(currency="eur"),
    "currency too long": transfer_order(currency="EURO"),
    "memo too long": transfer_order(memo="x" * 141),
    "memo with NUL": transfer_order(memo="a\x00b"),
    "memo with a line break": transfer_order(memo="a\nb"),
    "memo with bidi controls": transfer_order(memo="a\u202eb"),
    "memo with half a surrogate pair": transfer_order(memo="\ud800"),
    "recipient empty": transfer_order(to=""),
    "recipient too long": transfer_order(to="x" * 71),
    "recipient with NUL": transfer_order(to="Maria\x00Lopez"),
    "recipient that is no text": transfer_order(to=["Maria Lopez"]),
    "account too long": transfer_order(from_account="4" * 17),
    "account null": transfer_order(from_account=None),
    "one member too many": transfer_order(sub="maria@example.com"),
    "one member too many in the amount": transfer_order()
    | {"amount": {"amount_minor": 1, "currency": "EUR", "x": 1}},
    "an impossible name of a member": transfer_order() | {"\ud800": 1},
    "no object": [],
    "nothing": None,
}


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_that_is_not_valid_is_a_problem_and_books_nothing(bank: Bank, order: str) -> None:
    answer = bank.order("bad", content=json.dumps(ORDERS[order]).encode())
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"]
    assert not bank.ledger.booked()["a"]


BODIES: dict[str, tuple[bytes, str, int]] = {
    "not JSON": (b"{", "application/json", 422),
    "not UTF-8": (b'{"memo": "\xff"}', "application/json", 400),
    "nested without end": (b"[" * 4000, "application/json", 400),
    "another media type": (json.dumps(transfer_order()).encode(), "text/plain", 422),
    "empty": (b"", "application/json", 422),
    "NaN for an amount": (b'{"amount": {"amount_minor": NaN}}', "application/json", 422),
    "too long": (b" " * 5000, "application/json", 413),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_cannot_be_read_is_a_problem(bank: Bank, body: str) -> None:
    content, media_type, status = BODIES[body]
    answer = bank.order("body", content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_body_sent_in_pieces_is_bounded_too(bank: Bank) -> None:
    pieces = (b" " * 1000 for _ in range(10))
    assert bank.order("pieces", content=pieces).status_code == 413


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "na\u00efve"])
def test_a_key_that_is_not_valid_is_a_problem(bank: Bank, key: str) -> None:
    answer = bank.order("", json=transfer_order(memo="bad key"), headers={"Idempotency-Key": key.encode()})
    assert answer.status_code == 422
    assert bank.ledger.booked()["bad key"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=-1", "limit=x", "limit=" + "9" * 400, "limit=",
        "from=2026-02-30", "from=1700000000", "from=2026-1-1", "from=2026-01-01T00:00:00Z", "to=%00", "from=",
        "cursor=%00", "cursor=abc", "cursor=" + "A" * 65, "cursor=ZW50cnk6LTE", "cursor=",
        "cursor=%F0%9F%92%B6",
        "cursor=ZW50cnk6OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
    ],
)  # fmt: skip
def test_a_query_that_is_not_valid_is_a_problem(bank: Bank, query: str) -> None:
    answer = bank.get(f"/accounts/4001-01/transactions?{query}")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "account_id", ["%00", "%FF", "4001-01%00", "%E2%80%AE", "a" * 5000, "4001-%D9%A0%D9%A1"]
)
def test_an_account_id_that_cannot_be_one_is_an_account_that_is_not_there(
    bank: Bank, account_id: str
) -> None:
    assert bank.get(f"/accounts/{account_id}/balance").status_code == 404


@pytest.mark.parametrize("trace_id", ["", "x", "A" * 32, "a" * 33])
def test_a_trace_id_that_is_not_valid_is_a_problem(bank: Bank, trace_id: str) -> None:
    assert bank.get(f"/records?trace_id={trace_id}").status_code == 422


def test_headers_that_are_too_long_are_refused_with_431(bank: Bank) -> None:
    assert bank.send("GET", "/accounts", None, headers={"X-Padding": "x" * 20_000}).status_code == 431


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/accounts"), ("GET", "/transfers"), ("TRACE", "/accounts")]
)
def test_a_method_that_is_not_there_is_refused_with_405_and_allow(bank: Bank, method: str, path: str) -> None:
    answer = bank.send(method, path, None)
    assert answer.status_code == 405
    assert answer.headers["Allow"]
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/nothing", "/accounts/", "/docs", "/accounts//balance"])
def test_an_address_that_is_not_there_is_a_problem(bank: Bank, path: str) -> None:
    answer = bank.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_answer_repeats_nothing_of_what_was_sent(bank: Bank) -> None:
    secret = "eyJhbGciOiJFUzI1NiJ9"
    order = transfer_order(to=secret, memo=secret * 8) | {"amount": secret, secret: secret}
    answer = bank.order(secret * 8, json=order)
    assert answer.status_code == 422
    assert secret not in answer.text
