"""What the overview and the permissions page read: from the real account API, and from the provider."""

from datetime import timedelta

import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from banking_app.account_client import Account, AccountClient, Transaction
from banking_app.balance_history import balance_history
from banking_app.failures import Refused, ServiceDown, TokenRefused
from banking_app.money import Money
from banking_app.rendering import render
from tests.banking_app.conftest import BankingApp, Serve
from tests.issuer import AGENT


@pytest.fixture
def app_token(app: BankingApp, signed_on: httpx2.Client) -> str:
    return app.services.tokens.app_token(app.session_id(signed_on))


@pytest.fixture
def issuer_token(app: BankingApp, signed_on: httpx2.Client) -> str:
    return app.services.tokens.issuer_token(app.session_id(signed_on))


def quarter(app: BankingApp, token: str, account: Account) -> list[Transaction]:
    since = app.clock().date() - timedelta(days=90)
    return app.services.accounts.transactions(token, account.account_id, since)


def test_accounts_are_the_customers_own_with_balances(app: BankingApp, app_token: str) -> None:
    accounts = app.services.accounts.accounts(app_token)
    assert [account.type for account in accounts] == ["checking", "savings", "credit_card"]
    assert {account.balance.currency for account in accounts} == {"EUR"}


def test_transactions_are_read_page_by_page(app: BankingApp, app_token: str) -> None:
    checking = app.services.accounts.accounts(app_token)[0]
    found = quarter(app, app_token, checking)
    assert len(found) == len({transaction.transaction_id for transaction in found})
    assert [entry.booked_at for entry in found] == sorted((e.booked_at for e in found), reverse=True)
    assert found[0].balance_after == checking.balance


def test_balance_history_ends_with_the_balance_and_loses_no_cent(app: BankingApp, app_token: str) -> None:
    for account in app.services.accounts.accounts(app_token):
        found = quarter(app, app_token, account)
        today = app.clock().date()
        days = balance_history(found, account.balance, today - timedelta(days=90), today)
        assert len(days) == 91
        assert days[-1].balance == account.balance
        moved = sum(entry.amount.amount_minor for entry in found if entry.booked_at.date() > days[0].day)
        assert days[-1].balance.amount_minor - days[0].balance.amount_minor == moved


def test_balance_history_of_a_quiet_account_is_level(app: BankingApp) -> None:
    balance, today = Money(amount_minor=100, currency="EUR"), app.clock().date()
    days = balance_history([], balance, today - timedelta(days=2), today)
    assert [day.balance for day in days] == [balance] * 3


def test_account_api_that_is_down_is_told(app_token: str) -> None:
    with httpx2.Client(verify=False) as http, pytest.raises(ServiceDown) as down:
        AccountClient("http://127.0.0.1:1", http).accounts(app_token)
    assert "account API" in down.value.hint


def test_token_that_the_account_api_refuses_is_told_without_the_token(
    app: BankingApp, issuer_token: str
) -> None:
    with pytest.raises(TokenRefused) as refused:
        app.services.accounts.accounts(issuer_token)
    assert "401" in refused.value.hint
    assert refused.value.way_on == "sign_on"
    assert issuer_token not in f"{refused.value.detail} {refused.value.hint}"


def test_grants_say_who_may_do_what_until_when(app: BankingApp, issuer_token: str) -> None:
    (grant,) = app.services.grants.grants(issuer_token)
    assert grant.agent.name == "Bank Assistant"
    assert [permission.name for permission in grant.scope] == [
        "account:read_balance",
        "account:read_transactions",
    ]
    assert grant.expires_at > grant.created_at
    assert grant.last_used_at is None


def test_withdrawing_ends_the_grant(app: BankingApp, issuer_token: str) -> None:
    app.services.grants.withdraw(issuer_token, "grant-1")
    assert app.provider.withdrawn == ["grant-1"]
    assert app.services.grants.grants(issuer_token) == []


@pytest.mark.parametrize(
    "answer", [JSONResponse({}, 500), JSONResponse({"grants": 1}), PlainTextResponse("")]
)
def test_unusable_grants_are_told(app: BankingApp, issuer_token: str, answer: JSONResponse) -> None:
    app.provider.grants_answer = answer
    with pytest.raises(ServiceDown):
        app.services.grants.grants(issuer_token)


def test_refusal_tells_the_services_own_words(app: BankingApp, issuer_token: str) -> None:
    app.provider.grants_answer = JSONResponse({"title": "Forbidden", "detail": "Ask for the scope."}, 403)
    with pytest.raises(Refused, match=r"Ask for the scope\."):
        app.services.grants.grants(issuer_token)


def test_last_use_of_a_grant_is_said_in_plain_words(app: BankingApp, issuer_token: str) -> None:
    (unknown,) = app.services.grants.grants(issuer_token)
    assert unknown.last_used_for is None
    used = {"last_used_at": "2026-11-24T09:30:00+00:00", "last_used_scope": "account:read_balance card:block"}
    app.provider.grant_changes = used
    (grant,) = app.services.grants.grants(issuer_token)
    assert grant.last_used_for == "See your accounts and their balances; card:block"
    assert "24 November 2026, 09:30 UTC<small>to: See your accounts" in render("grant.html", grant=grant)


def test_agent_that_the_bank_has_stopped_is_shown_as_such_with_its_permission(
    app: BankingApp, issuer_token: str
) -> None:
    (unsaid,) = app.services.grants.grants(issuer_token)
    assert "stopped" not in render("grant.html", grant=unsaid)
    app.provider.agent_state = "suspended"
    (grant,) = app.services.grants.grants(issuer_token)
    page = render("grant.html", grant=grant)
    assert "The bank has stopped this assistant" in page
    assert "Suspended" in page


@pytest.mark.parametrize("state", ["suspended", "retired", "draft", "active", None])
def test_customer_without_a_permission_is_told_that_the_bank_has_stopped_the_agent_and_offered_consent_if_not(
    app: BankingApp, issuer_token: str, state: str | None
) -> None:
    app.provider.granted, app.provider.agent_state = False, state
    found = app.services.grants.grants_and_agent(issuer_token, AGENT)
    page = render("no_grant.html", allow="/login?consent=1", agent=found.agent)
    stopped = state not in {"active", None}
    assert ("The bank has stopped Bank Assistant" in page) == stopped
    assert ("/login?consent=1" in page) == (not stopped)


def test_what_others_wrote_in_a_grant_is_text_on_the_page(app: BankingApp, issuer_token: str) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    agent = {"id": hostile, "name": hostile, "owner": hostile, "state": hostile}
    used = {"last_used_at": "2026-11-24T09:30:00+00:00", "last_used_scope": hostile}
    app.provider.grant_changes = {"agent": agent} | used
    (grant,) = app.services.grants.grants(issuer_token)
    page = render("grant.html", grant=grant)
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page


def test_addition_of_our_authorization_server_that_is_missing_is_known_as_such(serve_app: Serve) -> None:
    nothing = dict.fromkeys(
        (
            "administration_endpoint",
            "auth_audit_endpoint",
            "gateway_audit_endpoint",
            "account_audit_endpoint",
        ),
        "",
    )
    with serve_app(**nothing) as app:
        assert not app.services.administration.offered
        assert not app.services.audit_trail.offered
        assert set(app.services.audit_trail.not_offered) == {"auth_server", "gateway", "account_api"}


def test_authorization_server_without_grant_management_is_known_as_such(serve_app: Serve) -> None:
    with serve_app(grant_management_endpoint="") as app:
        assert not app.services.grants.offered


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (123_456_789, "EUR", "€1,234,567.89"),
        (-5, "EUR", "−€0.05"),
        (0, "GBP", "£0.00"),
        (1_200, "JPY", "JPY 1,200"),
        (1_200, "CHF", "CHF 12.00"),
    ],
)
def test_money_is_written_as_people_write_it(amount_minor: int, currency: str, text: str) -> None:
    assert str(Money(amount_minor=amount_minor, currency=currency)) == text


def test_an_agents_largest_transfer_is_said_where_it_may_move_money_and_that_it_is_not_there_for_one(
    app: BankingApp, issuer_token: str
) -> None:
    scope = [
        {"name": "account:read_balance", "description": "See your accounts"},
        {"name": "account:transfer", "description": "Move money"},
    ]
    agent = {"id": "https://bank-agent.example.com", "name": "Bank Assistant", "max_transfer_minor": 123_450}
    app.provider.grant_changes = {"scope": scope, "agent": agent}
    (grant,) = app.services.grants.grants(issuer_token)
    page = render("grant.html", grant=grant)
    assert page.count("at a time") == 1
    assert "Move money, at most 1,234.50 in the account's currency at a time" in page
    assert "for other customers only" not in page
    app.provider.grant_changes = {"agent": agent | {"is_for_you": False}}
    (not_ours,) = app.services.grants.grants(issuer_token)
    assert "for other customers only: it can do nothing for you now" in render("grant.html", grant=not_ours)
    app.provider.grant_changes = {"scope": scope}
    (unlimited,) = app.services.grants.grants(issuer_token)
    assert "at a time" not in render("grant.html", grant=unlimited)
