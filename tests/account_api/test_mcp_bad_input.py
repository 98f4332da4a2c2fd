"""Shows that bad input at `/mcp` is a clear error, books nothing, is recorded, and never comes back."""

import json
from typing import Any

import httpx2
import pytest

from tests.account_api.banks import Bank, transfer_order
from tests.account_api.mcp_calls import (
    MODERN,
    REVISIONS,
    call_tool,
    header_fields,
    message,
    post,
    problem_of,
)
from tests.account_api.test_bad_input import ORDERS

# What is refused here never comes to the database's own rules.
pytestmark = pytest.mark.parametrize("bank", ["sqlite"], indirect=True)
LIST = message("tools/list")
KEY = {"idempotency_key": "bad"}


def _is_text(order: Any) -> bool:
    return isinstance(order, dict) and "\\ud800" not in json.dumps(order)


def any_token(bank: Bank) -> str:
    return bank.issuer.delegation_token("account:read_balance account:read_transactions account:transfer")


def assert_refused(bank: Bank, answer: httpx2.Response, status: int, rows: int) -> dict[str, Any]:
    """Return the JSON-RPC error, after a look at the one record of the refusal."""
    assert answer.status_code == status, answer.text
    assert len(bank.ledger.records()) == rows + 1
    record = bank.ledger.records()[-1]
    assert record.decision == "deny"
    assert record.decision_id == answer.headers["Record-Id"]
    error: dict[str, Any] = answer.json()["error"]
    assert error["message"]
    return error


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("order", [name for name in ORDERS if _is_text(ORDERS[name])])
def test_an_order_that_is_not_valid_is_a_problem_and_books_nothing(
    bank: Bank, order: str, revision: str
) -> None:
    before = bank.ledger.balance("4001-01")
    answer = call_tool(bank, "transfer", ORDERS[order] | KEY, any_token(bank), revision)
    problem = problem_of(answer)
    assert problem["type"].endswith("/request-invalid")
    assert all(error["location"].startswith("arguments") for error in problem["errors"])
    assert bank.ledger.balance("4001-01") == before


ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("list_accounts", {"account_id": "4001-01"}, "arguments"),
    ("read_balance", {}, "arguments.account_id"),
    ("read_balance", {"account_id": 4001}, "arguments.account_id"),
    ("read_balance", {"account_id": None}, "arguments.account_id"),
    ("read_balance", {"account_id": "4001-01", "sub": "maria@example.com"}, "arguments"),
    *(
        ("read_transactions", {"account_id": "4001-01", name: value}, f"arguments.{name}")
        for name, value in [
            ("limit", 0), ("limit", 101), ("limit", "5"), ("limit", 5.5), ("limit", True), ("limit", None),
            ("from", "2026-02-30"), ("from", 1700000000), ("from", ""), ("to", "2026-01-01T00:00:00Z"),
            ("cursor", "A" * 65), ("cursor", 5),
        ]
    ),
    *(
        ("transfer", transfer_order() | {"idempotency_key": key}, "arguments.idempotency_key")
        for key in ("", "x" * 129, "with space", "na\u00efve", 5)
    ),
    ("transfer", transfer_order(), "arguments.idempotency_key"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "location"), ARGUMENTS)
def test_arguments_that_do_not_fit_the_schema_are_a_problem_that_says_where(
    bank: Bank, tool: str, arguments: dict[str, Any], location: str
) -> None:
    problem = problem_of(call_tool(bank, tool, arguments, any_token(bank)))
    assert problem["status"] == 422
    assert [error["location"] for error in problem["errors"]] == [location]
    record = bank.ledger.records()[-1]
    assert (record.decision, record.operation != "none") == ("deny", True)


def test_a_cursor_of_nobodys_is_the_same_problem_as_by_rest(bank: Bank) -> None:
    arguments = {"account_id": "4001-01", "cursor": "abc"}
    rest = bank.get("/accounts/4001-01/transactions?cursor=abc", any_token(bank))
    assert problem_of(call_tool(bank, "read_transactions", arguments, any_token(bank))) == rest.json()


CONTENTS: dict[str, tuple[bytes, int]] = {
    "not JSON": (b"{", 400),
    "empty": (b"", 400),
    "not UTF-8": (b'{"jsonrpc": "2.0", "id": "\xff", "method": "ping"}', 400),
    "UTF-16": (json.dumps(LIST).encode("utf-16"), 400),
    "nested without end": (b"[" * 16_000, 400),
    "a number without end": (b'{"jsonrpc": "2.0", "method": "ping", "id": ' + b"9" * 9000 + b"}", 400),
    "NaN": (json.dumps(LIST | {"params": {"x": float("nan")}}).encode(), 400),
    "infinity in digits": (b'{"jsonrpc": "2.0", "method": "ping", "id": 1, "params": {"x": 1e999}}', 400),
    "a batch": (json.dumps([LIST]).encode(), 400),
    "an empty batch": (b"[]", 400),
    "text": (b'"tools/list"', 400),
    "a posted response": (b'{"jsonrpc": "2.0", "id": 1, "result": {}}', 400),
    "no version": (json.dumps(LIST | {"jsonrpc": None}).encode(), 400),
    "another version": (json.dumps(LIST | {"jsonrpc": "1.0"}).encode(), 400),
    "an id that is none": (json.dumps(LIST | {"id": None}).encode(), 400),
    "an id that is an object": (json.dumps(LIST | {"id": {}}).encode(), 400),
    "an id that is true": (json.dumps(LIST | {"id": True}).encode(), 400),
    "a method that is a list": (json.dumps(LIST | {"method": []}).encode(), 400),
    "params that are a list": (json.dumps(LIST | {"params": []}).encode(), 400),
    "half a character": (json.dumps(LIST | {"params": {"x": "\ud800"}}).encode(), 400),
    "too long": (json.dumps(LIST | {"padding": "x" * 17_000}).encode(), 413),
}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("content", CONTENTS)
def test_a_body_that_is_not_one_message_is_refused(bank: Bank, content: str, revision: str) -> None:
    body, status = CONTENTS[content]
    rows = len(bank.ledger.records())
    answer = post(bank, LIST, any_token(bank), revision, content=body)
    assert assert_refused(bank, answer, status, rows)["code"] == -32600
    assert answer.json()["id"] is None


def test_a_message_sent_in_pieces_is_bounded_too(bank: Bank) -> None:
    pieces: Any = (b" " * 1000 for _ in range(30))
    assert post(bank, LIST, any_token(bank), content=pieces).status_code == 413


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_is_named_twice_in_a_message_is_authorised_as_it_is_carried_out(
    bank: Bank, revision: str
) -> None:
    # Readers differ in which of two they take: the message goes on with one only.
    one, other = (
        json.dumps({"name": name, "arguments": {"account_id": "4001-01"}})[1:-1]
        for name in ("read_balance", "read_transactions")
    )
    meta = json.dumps(message("x", revision=revision)["params"])[1:-1]
    params = ", ".join(part for part in (other, one, meta) if part)
    content = f'{{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {{{params}}}}}'.encode()
    read_only = bank.issuer.delegation_token("account:read_balance")
    headers = header_fields(message("tools/call", {"name": "read_balance"}), revision)
    answer = bank.send("POST", "/mcp", read_only, headers=headers, content=content)
    assert "balance" in answer.json()["result"]["structuredContent"]
    assert bank.ledger.records()[-1].operation == "account.read_balance"


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("name", ["nothing", "", "audit.read", "x" * 300, "LIST_ACCOUNTS"])
def test_a_tool_that_is_not_there_is_refused(bank: Bank, name: str, revision: str) -> None:
    rows = len(bank.ledger.records())
    answer = call_tool(bank, name, {}, any_token(bank), revision)
    error = assert_refused(bank, answer, 400 if revision == MODERN else 200, rows)
    assert error["code"] == -32602
    assert bank.ledger.records()[-1].operation == "none"


@pytest.mark.parametrize("method", ["tools/nothing", "resources/list", "prompts/get"])
def test_a_method_that_is_not_there_is_refused(bank: Bank, method: str) -> None:
    rows = len(bank.ledger.records())
    answer = post(bank, message(method, {"name": "x"}), any_token(bank))
    assert assert_refused(bank, answer, 404, rows)["code"] == -32601
    assert bank.ledger.records()[-1].operation == "none"


MISMATCHES = {
    "another method": {"Mcp-Method": "tools/call"},
    "another tool": {"Mcp-Name": "list_accounts"},
    "another revision": {"MCP-Protocol-Version": "2027-01-01"},
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_header_fields_that_say_something_else_than_the_body_are_refused(bank: Bank, case: str) -> None:
    body = message("tools/call", {"name": "read_balance", "arguments": {"account_id": "4001-01"}})
    if case == "another method":
        body = LIST
    rows = len(bank.ledger.records())
    answer = post(bank, body, any_token(bank), headers=MISMATCHES[case])
    assert assert_refused(bank, answer, 400, rows)["code"] == -32020


def test_a_revision_that_is_not_served_is_refused_with_those_that_are(bank: Bank) -> None:
    body = message("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2027-01-01"}})
    rows = len(bank.ledger.records())
    answer = post(bank, body, any_token(bank), headers={"MCP-Protocol-Version": "2027-01-01"})
    error = assert_refused(bank, answer, 400, rows)
    assert error["code"] == -32022
    assert error["data"]["supported"] == [MODERN]


TRANSPORT: dict[str, tuple[dict[str, str], int]] = {
    "a page of another origin": ({"Origin": "https://evil.example.com"}, 403),
    "a page of this host": ({"Origin": "http://localhost:8505"}, 403),
    "an origin that is null": ({"Origin": "null"}, 403),
    "another host": ({"Host": "rebound.example.com"}, 421),
    "another media type": ({"Content-Type": "text/plain"}, 400),
    "nothing that is accepted": ({"Accept": "text/html"}, 406),
}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("case", TRANSPORT)
def test_what_comes_from_where_it_should_not_is_refused(bank: Bank, case: str, revision: str) -> None:
    headers, status = TRANSPORT[case]
    rows = len(bank.ledger.records())
    answer = post(bank, message("tools/list", revision=revision), any_token(bank), revision, headers)
    assert_refused(bank, answer, status, rows)


def test_headers_that_are_too_long_are_refused_with_431(bank: Bank) -> None:
    assert post(bank, LIST, any_token(bank), headers={"X-Padding": "x" * 20_000}).status_code == 431


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD"])
def test_another_method_than_post_is_refused_with_405(bank: Bank, method: str) -> None:
    answer = bank.send(method, "/mcp", any_token(bank), headers={"Accept": "text/event-stream"})
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_answer_and_a_log_repeat_nothing_of_what_was_sent(
    bank: Bank, revision: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = any_token(bank)
    calls = [
        call_tool(bank, "transfer", transfer_order(to=secret) | {secret: secret}, secret, revision),
        call_tool(bank, "read_balance", {"account_id": secret}, secret, revision),
        call_tool(bank, secret, {}, secret, revision),
        post(bank, message("tools/list", revision=revision), secret, revision, {"Origin": secret}),
        post(bank, message("tools/list", {"cursor": [secret]}, revision), secret, revision),
        post(bank, message("tools/list", {"_meta": {"traceparent": secret}}, revision), secret, revision),
        post(bank, {"jsonrpc": "2.0", "method": "ping", "id": [secret]}, secret, revision),
    ]
    for answer in calls:
        assert secret not in answer.text
    written = caplog.text + capsys.readouterr().out + repr(bank.ledger.records())
    assert all(part not in written for part in secret.split("."))
