"""Shows that MCP's tools and REST's routes are the same operations: the same answers, records and rules."""

import json
from typing import Any

import httpx2
import pytest

from tests.account_api.banks import Bank, transfer_order
from tests.account_api.mcp_calls import (
    MODERN,
    OPERATIONS,
    REVISIONS,
    call_tool,
    message,
    post,
    problem_of,
    result_of,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


def last_record(bank: Bank) -> dict[str, Any]:
    return dict(bank.ledger.records()[-1]._mapping)


def comparable(record: dict[str, Any]) -> dict[str, Any]:
    compared = ("service", "step", "operation", "resource", "decision", "reason", "sub", "act", "client_id")
    return {name: record[name] for name in (*compared, "aud", "scope", "jti", "trace_id")}


def by_rest(
    bank: Bank, operation: str, token: str, key: str = "", arguments: dict[str, Any] | None = None
) -> httpx2.Response:
    _, path, _, given = OPERATIONS[operation]
    if operation == "account.transfer":
        return bank.order(key, token, json=arguments or given, headers=TRACEPARENT)
    return bank.send("GET", path, token, headers=TRACEPARENT)


def by_mcp(
    bank: Bank,
    operation: str,
    token: str,
    revision: str,
    key: str = "",
    arguments: dict[str, Any] | None = None,
) -> httpx2.Response:
    _, _, tool, given = OPERATIONS[operation]
    given = (arguments or given) | ({"idempotency_key": key} if key else {})
    return call_tool(bank, tool, given, token, revision, headers=TRACEPARENT)


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "account.transfer"])
def test_a_reading_has_the_same_answer_and_record(bank: Bank, operation: str, revision: str) -> None:
    token = bank.issuer.delegation_token(OPERATIONS[operation][0])
    rest = by_rest(bank, operation, token)
    of_rest = last_record(bank)
    answer = by_mcp(bank, operation, token, revision)
    result, of_mcp = result_of(answer), last_record(bank)
    assert rest.status_code == 200
    assert result["structuredContent"] == rest.json()
    assert json.loads(result["content"][0]["text"]) == rest.json()
    assert comparable(of_mcp) == comparable(of_rest)
    assert of_mcp["operation"] == operation
    assert (of_mcp["decision"], of_mcp["trace_id"]) == ("permit", TRACE)
    assert answer.headers["Record-Id"] == of_mcp["decision_id"] != of_rest["decision_id"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_transfer_is_one_order_by_whichever_way_it_comes(bank: Bank, revision: str) -> None:
    token = bank.issuer.delegation_token("account:transfer")
    memo = f"parity {revision}"
    order = transfer_order(memo=memo)
    before = bank.ledger.balance("4001-01")
    answer = by_mcp(bank, "account.transfer", token, revision, memo.replace(" ", "-"), order)
    receipt, of_mcp = result_of(answer)["structuredContent"], last_record(bank)
    repeated = by_rest(bank, "account.transfer", token, memo.replace(" ", "-"), order)
    of_rest = last_record(bank)
    again = by_mcp(bank, "account.transfer", token, revision, memo.replace(" ", "-"), order)
    assert repeated.status_code == 201
    assert receipt == repeated.json() == result_of(again)["structuredContent"]
    assert bank.ledger.booked()[memo] == 1
    assert bank.ledger.balance("4001-01") == before - 100
    assert of_mcp["resource"] == f"/transfers/{receipt['transfer_id']}"
    assert of_mcp["reason"] == "the transfer is booked"
    assert of_rest["reason"].startswith("repeat of an earlier order")
    same = {"reason": ""}
    assert comparable(of_mcp) | same == comparable(of_rest) | same
    assert comparable(last_record(bank)) == comparable(of_rest)


REFUSED: dict[str, dict[str, Any]] = {
    "another's account": transfer_order(from_account="4002-01"),
    "nobody's account": transfer_order(from_account="9999-01"),
    "a recipient that is not known": transfer_order(to="Nobody"),
    "the same account": transfer_order(to="4001-01"),
    "another currency": transfer_order(currency="USD"),
    "more than there is": transfer_order(amount=10**9),
}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("case", REFUSED)
def test_an_order_that_the_bank_refuses_has_the_same_problem_and_record(
    bank: Bank, case: str, revision: str
) -> None:
    token = bank.issuer.delegation_token("account:transfer")
    key = f"{case}-{revision}".replace(" ", "-")
    rest = by_rest(bank, "account.transfer", token, f"{key}-rest", REFUSED[case])
    of_rest = last_record(bank)
    answer = by_mcp(bank, "account.transfer", token, revision, f"{key}-mcp", REFUSED[case])
    assert problem_of(answer) == rest.json()
    assert rest.status_code == rest.json()["status"] >= 400
    assert comparable(last_record(bank)) == comparable(of_rest)
    assert last_record(bank)["decision"] == "deny"
    assert answer.headers["Record-Id"] == last_record(bank)["decision_id"]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("account_id", ["4002-01", "9999-01", "nonsense", "4001-01\x00"])
def test_an_account_that_is_not_the_customers_is_not_there(
    bank: Bank, account_id: str, revision: str
) -> None:
    token = bank.issuer.delegation_token("account:read_balance")
    rest = bank.get("/accounts/9999-01/balance", token)
    answer = call_tool(bank, "read_balance", {"account_id": account_id}, token, revision)
    assert problem_of(answer) == rest.json()
    assert rest.status_code == 404


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_order_above_the_tokens_limit_is_refused_and_not_kept(bank: Bank, revision: str) -> None:
    details = [{"type": "account_transfer", "max_amount_minor": 50}]
    token = bank.issuer.delegation_token("account:transfer", authorization_details=details)
    key = f"limit-{revision}"
    answer = by_mcp(bank, "account.transfer", token, revision, key)
    rest = by_rest(bank, "account.transfer", token, key)
    assert problem_of(answer) == rest.json()
    assert (rest.status_code, rest.json()["limit"]["amount_minor"]) == (403, 50)
    wider = bank.issuer.delegation_token("account:transfer")
    assert "structuredContent" in result_of(by_mcp(bank, "account.transfer", wider, revision, key))


def test_a_key_that_stands_for_another_order_is_refused_across_the_two_ways(bank: Bank) -> None:
    token = bank.issuer.delegation_token("account:transfer")
    assert bank.transfer("shared-key", token, amount=7).status_code == 201
    answer = by_mcp(bank, "account.transfer", token, MODERN, "shared-key", transfer_order(amount=8))
    assert problem_of(answer)["type"].endswith("/idempotency-key-reused")


def test_a_trace_is_taken_from_the_message_where_the_header_names_none(bank: Bank) -> None:
    token = bank.issuer.delegation_token("account:read_balance")
    of_message = f"00-{'c' * 32}-b7ad6b7169203331-01"
    body_meta = {"_meta": {"traceparent": of_message}}
    body = message("tools/call", {"name": "list_accounts", "arguments": {}} | body_meta)
    for headers, trace_id in (({}, "c" * 32), (TRACEPARENT, TRACE), ({"traceparent": "x"}, "c" * 32)):
        assert post(bank, body, token, headers=headers).status_code == 200
        assert last_record(bank)["trace_id"] == trace_id
