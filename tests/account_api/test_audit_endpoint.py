"""`GET /audit` of the account API: what was done, for auditors alone."""

import time
from typing import Any

import pytest

from tests.account_api.banks import Bank
from tests.held_query import held_query
from tests.issuer import AGENT, CUSTOMER

BALANCE = "account:read_balance"


def audit(bank: Bank, token: str | None = None, **asked: Any) -> Any:
    token = token or bank.issuer.app_token("audit:read", sub="audit@example.com")
    return bank.send("GET", "/audit", token, params=asked)


def test_an_auditor_finds_what_an_agent_did_for_a_customer(bank: Bank) -> None:
    bank.get("/accounts", bank.issuer.delegation_token(BALANCE))
    answer = audit(bank, sub=CUSTOMER, agent=AGENT, operation="account.list", order="newest", limit=1)
    assert answer.status_code == 200
    [record] = answer.json()["records"]
    assert (record["decision"], record["act"], record["service"]) == ("permit", [AGENT], "account_api")
    assert answer.json()["next"] == record["position"]
    assert audit(bank, format="csv", limit=1).headers["content-type"].startswith("text/csv")
    assert audit(bank, format="jsonl", limit=1).headers["content-type"] == "application/jsonl"


def test_no_booking_waits_for_an_audit_query(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_query(monkeypatch, "account_api.routes", lambda: audit(bank, agent=AGENT)) as answered:
        began = time.monotonic()
        assert bank.transfer("beside-a-query").status_code == 201
        assert time.monotonic() - began < 2
    assert answered[0].status_code == 200


@pytest.mark.parametrize("scope", [BALANCE, "audit:read"])
def test_no_delegation_token_opens_it(bank: Bank, scope: str) -> None:
    assert audit(bank, bank.issuer.delegation_token(scope)).status_code == 403


def test_no_customers_token_opens_it(bank: Bank) -> None:
    answer = audit(bank, bank.issuer.app_token())
    assert answer.status_code == 403
    assert 'scope="audit:read"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("asked", [{"limit": 0}, {"decision": "maybe"}, {"to": "later"}, {"x": "y"}])
def test_a_malformed_question_is_refused(bank: Bank, asked: dict[str, Any]) -> None:
    assert audit(bank, **asked).status_code == 422
