"""Shows that nothing at `/mcp` is answered without a good token, and that each tool needs its own scope."""

from typing import Any

import pytest

from tests.account_api.banks import Bank
from tests.account_api.mcp_calls import (
    OPERATIONS,
    REVISIONS,
    call_tool,
    header_fields,
    message,
    post,
    refusal_of,
    result_of,
)
from tests.account_api.test_access import BAD_TOKENS
from tests.issuer import AGENT, CUSTOMER

# What is refused here never comes to the database's own rules.
pytestmark = pytest.mark.parametrize("bank", ["sqlite"], indirect=True)
SCOPES = sorted({scope for scope, *_ in OPERATIONS.values()})
PROTOCOL = ["tools/list", "server/discover", "initialize", "ping", "tools/call"]


def last_record(bank: Bank) -> Any:
    return bank.ledger.records()[-1]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("held", SCOPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_tool_opens_to_its_own_scope_and_is_refused_as_rest_refuses(
    bank: Bank, operation: str, held: str, revision: str
) -> None:
    needed, path, tool, arguments = OPERATIONS[operation]
    token = bank.issuer.delegation_token(held)
    key = f"access-{held}-{revision}"
    arguments = arguments | ({"idempotency_key": key} if tool == "transfer" else {})
    answer = call_tool(bank, tool, arguments, token, revision)
    if held == needed:
        assert "isError" not in answer.json()["result"] or answer.json()["result"]["isError"] is False
        return
    rest = bank.transfer(key, token) if tool == "transfer" else bank.get(path, token)
    assert answer.status_code == rest.status_code == 403
    assert answer.headers["WWW-Authenticate"] == rest.headers["WWW-Authenticate"]
    error = refusal_of(answer)
    assert answer.json()["id"] == 7
    assert error["code"] == -32001
    assert error["message"] == rest.json()["detail"]
    assert error["data"] == {
        "kind": "insufficient-scope",
        "reason": rest.json()["detail"],
        "operation": operation,
        "required_scopes": [needed],
        "record_id": answer.headers["Record-Id"],
    }


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("bad", BAD_TOKENS)
def test_a_bad_token_is_refused_as_rest_refuses_it(bank: Bank, bad: str, revision: str) -> None:
    token = BAD_TOKENS[bad](bank.issuer)
    rest = bank.get("/accounts", token)
    answer = call_tool(bank, "list_accounts", {}, token, revision)
    assert answer.status_code == rest.status_code == 401
    assert answer.headers["WWW-Authenticate"] == rest.headers["WWW-Authenticate"]
    assert refusal_of(answer)["data"]["kind"] == "invalid-token"
    assert refusal_of(answer)["data"]["record_id"] == last_record(bank).decision_id


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("method", PROTOCOL)
def test_no_method_is_answered_without_a_token(bank: Bank, method: str, revision: str) -> None:
    rows = len(bank.ledger.records())
    answer = post(bank, message(method, {"name": "list_accounts"}, revision), None, revision)
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer ")
    assert "resource_metadata=" in challenge
    assert "error=" not in challenge
    assert ('scope="account:read_balance"' in challenge) == (method == "tools/call")
    assert refusal_of(answer)["data"]["kind"] == "token-missing"
    assert len(bank.ledger.records()) == rows + 1
    assert last_record(bank).decision == "deny"


@pytest.mark.parametrize("content", [b"{", b"[]", b" " * 20_000])
def test_who_has_no_token_is_not_told_what_is_wrong_with_the_message(bank: Bank, content: bytes) -> None:
    assert post(bank, None, None, content=content).status_code == 401


def test_two_tokens_or_one_in_the_address_are_refused(bank: Bank) -> None:
    body = message("tools/list")
    token = bank.issuer.delegation_token("account:read_balance")
    twice = [*header_fields(body).items(), *[("Authorization", f"Bearer {token}")] * 2]
    in_address = bank.send(
        "POST", "/mcp", None, json=body, headers=header_fields(body), params={"access_token": token}
    )
    for answer in (bank.http.post("/mcp", json=body, headers=twice), in_address):
        assert answer.status_code == 400
        assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
        assert refusal_of(answer)["code"] == -32001


def test_a_client_that_names_no_actor_is_refused_unless_it_is_the_banks_own_app(bank: Bank) -> None:
    stranger = bank.issuer.app_token(client_id="https://other-app.example.com")
    for answer in (
        call_tool(bank, "list_accounts", {}, stranger),
        post(bank, message("tools/list"), stranger),
    ):
        assert answer.status_code == 403
        assert refusal_of(answer)["data"]["kind"] == "client-not-allowed"
    assert "structuredContent" in result_of(call_tool(bank, "list_accounts", {}, bank.issuer.app_token()))


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_list_of_tools_is_the_same_for_every_caller_and_recorded(bank: Bank, revision: str) -> None:
    def listed(scope: str) -> Any:
        answer = post(
            bank, message("tools/list", revision=revision), bank.issuer.delegation_token(scope), revision
        )
        record = last_record(bank)
        assert (record.operation, record.decision) == ("mcp.tools/list", "permit")
        assert (record.sub, record.act) == (CUSTOMER, [AGENT])
        assert record.decision_id == answer.headers["Record-Id"]
        return result_of(answer)["tools"]

    assert listed("") == listed("account:transfer")
