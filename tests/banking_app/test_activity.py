"""What was done for a customer, in plain words, out of the services' own records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from banking_app.activity import by_day, deeds
from banking_app.audit_records import AuditRecord
from banking_app.failures import ServiceDown
from banking_app.records_client import RecordsClient
from banking_app.rendering import render
from tests.banking_app.conftest import BankingApp
from tests.issuer import AGENT, CUSTOMER

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
NAMES = {AGENT: "Bank Assistant"}
ACCOUNTS = {"4001-01": "Checking"}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def record(number: int, **changed: Any) -> AuditRecord:
    """Return what the account API writes of a balance that an agent read; every field can be changed."""
    fields = {
        "service": "account_api",
        "step": 6,
        "decision": "permit",
        "reason": "the token suffices",
        "operation": "account.read_balance",
        "resource": "/accounts/4001-01/balance",
        "sub": CUSTOMER,
        "act": [AGENT],
        "scope": "account:read_balance",
        "jti": f"jti-{number}",
        "decision_id": f"{number:032x}",
        "trace_id": f"{number:032x}",
        "time": AT + timedelta(minutes=number),
    }
    return AuditRecord.model_validate(fields | changed)


def exchange(number: int, **changed: Any) -> AuditRecord:
    issued = {"service": "auth_server", "step": 4, "operation": "token.exchange", "resource": None}
    return record(number, **issued | {"decision_id": f"{number:031x}e"} | changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "read the balance of Checking"),
        ({"resource": "/accounts/9999-99/balance"}, "read the balance of 9999-99"),
        ({"operation": "account.read_transactions"}, "read the transactions of Checking"),
        ({"operation": "account.list", "resource": "/accounts"}, "looked up your accounts"),
        ({"operation": "account.transfer", "resource": None}, "sent a transfer"),
        ({"operation": "account.transfer", "decision": "deny"}, "wanted to send a transfer"),
        ({"operation": "card.block"}, "did card.block"),
    ],
)
def test_what_an_agent_did_is_said_in_plain_words(changed: dict[str, Any], words: str) -> None:
    [deed] = deeds([record(1, **changed)], NAMES, ACCOUNTS)
    assert (deed.actor, deed.words) == ("Bank Assistant", words)


def test_a_look_at_the_tools_that_there_are_is_no_deed() -> None:
    look = {"operation": "mcp.tools/list", "resource": None}
    assert [deed.words for deed in deeds([record(1, **look), record(2)], NAMES, ACCOUNTS)] == [
        "read the balance of Checking"
    ]


def test_an_exchange_is_shown_where_it_was_refused_or_its_token_unused() -> None:
    refused = {"decision": "deny", "jti": None, "reason": "invalid_scope: nothing of this scope is delegated"}
    found = deeds([record(1), exchange(1), exchange(2, **refused), exchange(3)], NAMES, ACCOUNTS)
    assert [(deed.words, deed.decision) for deed in found] == [
        ("got a token to see your balances", "permit"),
        ("wanted to see your balances", "deny"),
        ("read the balance of Checking", "permit"),
    ]
    assert found[1].why == "you have not allowed it this"


def test_what_the_customer_did_without_an_agent_is_not_an_agents_activity() -> None:
    assert deeds([record(1, act=[]), exchange(2, act=[])], NAMES, ACCOUNTS) == ()


def test_days_are_in_order_and_an_unknown_agent_goes_by_its_identifier() -> None:
    found = deeds([record(1), record(2, time=AT + timedelta(days=1))], {}, {})
    assert [(day.day, len(of_day)) for day, of_day in by_day(found)] == [(25, 1), (24, 1)]
    assert {deed.actor for deed in found} == {AGENT}


def test_what_others_wrote_is_text_on_the_page() -> None:
    hostile = record(1, operation=HOSTILE, reason=HOSTILE, decision="deny", act=[HOSTILE])
    page = render("deeds.html", by_day=by_day(deeds([hostile], {}, {})), any=True)
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page


def test_activity_is_read_page_by_page_from_the_real_account_api(
    app: BankingApp, signed_on: httpx2.Client
) -> None:
    agent = app.provider.issuer.delegation_token("account:read_balance")
    own = app.services.tokens.app_token(app.session_id(signed_on))
    accounts = f"{app.settings.account_api_url}/accounts"
    with httpx2.Client(verify=False) as http:
        for _ in range(103):
            assert http.get(accounts, headers={"Authorization": f"Bearer {agent}"}).status_code == 200
        http.get(accounts, headers={"Authorization": f"Bearer {own}"})
        client = RecordsClient("account API", f"{app.settings.account_api_url}/records", http)
        newest, before = client.newest(own)
        older, _ = client.newest(own, before)
    assert len(newest) == 100
    assert len(older) >= 3
    assert {one.actor for one in (*newest, *older)} == {AGENT}
    times = [one.time for one in (*newest, *older)]
    assert times == sorted(times, reverse=True)
    assert len({one.decision_id for one in (*newest, *older)}) == len(newest) + len(older)


def test_records_that_cannot_be_had_are_a_failure() -> None:
    with httpx2.Client(verify=False) as http, pytest.raises(ServiceDown):
        RecordsClient("account API", "http://127.0.0.1:1/records", http).newest("a-token")
