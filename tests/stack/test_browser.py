"""What a person does in a browser: sign on, allow, ask, look, withdraw, leave.

Issue 2, point 2. Screenshots are left in test-results/e2e/ for a person to look at.
"""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect

from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, READ_BALANCE, READ_TRANSACTIONS, TRANSFER, Deployment
from tests.stack.secrets_seen import Secret
from tests.stack.visitor import Answer, Visitor

NewVisitor = Callable[..., Visitor]
BALANCE_QUESTION = "What is my balance?"


def checking_balance(app: BankingApp, customer: str) -> int:
    """Return what the account API says is on the checking account, in cents."""
    own = {"Authorization": Secret(f"Bearer {app.sign_on(customer).app_token}")}
    accounts = httpx2.get(f"{app.deployment.account_api}/accounts", headers=own).json()["accounts"]
    [checking] = [account for account in accounts if account["type"] == "checking"]
    return int(checking["balance"]["amount_minor"])


def as_written(cents: int) -> str:
    return f"{cents / 100:,.2f}"


def withdraw_all(app: BankingApp, customer: str) -> None:
    """Leave the assistant no permission, as it is before a customer's first sign-on."""
    grants = app.deployment.grants_endpoint
    own = {"Authorization": Secret(f"Bearer {app.sign_on(customer).issuer_token()}")}
    for grant in httpx2.get(grants, headers=own).json()["grants"]:
        assert httpx2.delete(f"{grants}/{grant['grant_id']}", headers=own).status_code == 204


def test_a_customer_signs_on_allows_asks_sees_why_withdraws_sees_the_refusal_and_leaves(
    visitor: Visitor, app: BankingApp, deployment: Deployment
) -> None:
    withdraw_all(app, ALEX)
    visitor.open()
    visitor.page.get_by_role("link", name="Sign on").click()
    visitor.give_password(ALEX, deployment.password)
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("May Bank Assistant act for you?")
    expect(visitor.page.locator("main")).to_contain_text("Digital Channels, Example Bank")
    visitor.allow(READ_BALANCE, READ_TRANSACTIONS)
    visitor.expect_signed_on()

    answer = visitor.ask(BALANCE_QUESTION)
    assert as_written(checking_balance(app, ALEX)) in answer.text
    assert answer.states == ["permit", "permit", "done", "permit", "permit", "permit"]
    assert answer.hints == []
    answer.open_hood()
    claims = answer.claims(4)
    assert claims["sub"].startswith(ALEX)
    assert deployment.agent_id in claims["act"]
    assert claims["aud"].startswith(deployment.audience)
    assert claims["scope"].startswith(READ_BALANCE)
    assert "s left at this step" in claims["exp"]
    expect(answer.step(4)).to_contain_text("Record written by the Authorization server")
    expect(answer.step(6)).to_contain_text("Record written by the Account API")
    visitor.screenshot("assistant-permitted")

    visitor.withdraw()
    visitor.screenshot("permissions-withdrawn")
    refused = visitor.ask(BALANCE_QUESTION)
    assert refused.states[3] == "deny"
    assert refused.states[4:] == ["waiting", "waiting"]
    assert "not allowed" in refused.text
    [hint] = refused.hints
    assert "has withdrawn it. Give it on the Permissions page" in hint
    refused.open_hood()
    expect(refused.step(4)).to_contain_text("Refused")
    visitor.screenshot("assistant-refused")

    visitor.sign_out()
    visitor.open("/assistant")
    expect(visitor.page.get_by_role("link", name="Sign on")).to_be_visible()


def test_a_transfer_that_the_customer_allowed_and_confirmed_is_booked_and_a_reload_keeps_the_conversation(
    visitor: Visitor, app: BankingApp
) -> None:
    before = checking_balance(app, ALEX)
    visitor.sign_on(ALEX, READ_BALANCE, TRANSFER)
    asked_back = visitor.ask("Send 1.50 euros to Maria Lopez")
    assert "1.50" in asked_back.text
    assert checking_balance(app, ALEX) == before
    done = visitor.ask("yes")
    assert checking_balance(app, ALEX) == before - 150
    assert done.states[3:] == ["permit", "permit", "permit"]
    said = (asked_back.text, done.text, done.trace_id)

    visitor.page.reload()
    expect(visitor.answers()).to_have_count(2)
    kept = [Answer(visitor.answers().nth(number)) for number in range(2)]
    assert (kept[0].text, kept[1].text, kept[1].trace_id) == said
    visitor.sign_out()


def test_a_transfer_that_the_customer_did_not_allow_is_refused_and_books_nothing(
    visitor: Visitor, app: BankingApp
) -> None:
    before = checking_balance(app, ALEX)
    visitor.sign_on(ALEX, READ_BALANCE)
    visitor.ask("Send 1.50 euros to Maria Lopez")
    refused = visitor.ask("yes")
    assert refused.states[3] == "deny"
    assert "not allowed" in refused.text
    [hint] = refused.hints
    assert f"the exchange for {TRANSFER}" in hint
    assert checking_balance(app, ALEX) == before
    visitor.sign_out()


def test_a_customer_changes_what_the_assistant_may_do_without_withdrawing_it_first(visitor: Visitor) -> None:
    visitor.sign_on(ALEX, READ_BALANCE)
    visitor.open("/permissions")
    expect(visitor.page.locator(".may")).not_to_contain_text(TRANSFER)
    visitor.page.get_by_role("link", name="Change what it may do").click()
    visitor.allow(READ_BALANCE, TRANSFER)
    visitor.expect_signed_on()
    expect(visitor.page.locator(".may")).to_contain_text(TRANSFER)
    assert visitor.page.url.endswith("/permissions")
    visitor.sign_out()


def test_two_tabs_ask_at_the_same_time_and_both_end_when_one_signs_out(visitor: Visitor) -> None:
    visitor.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    other = visitor.new_tab()
    for tab in (visitor, other):
        tab.open("/assistant")
    # Neither waits for the other: each question needs a subject token that nobody has fetched yet.
    visitor.begin_to_ask(BALANCE_QUESTION)
    other.begin_to_ask("Show my last five transactions")
    for tab in (visitor, other):
        expect(tab.answers().first).to_be_visible()
        tab.expect_no_mistake()
    visitor.page.reload()
    expect(visitor.answers()).to_have_count(2)

    visitor.sign_out()
    other.page.get_by_role("link", name="Permissions").click()
    expect(other.page.get_by_role("link", name="Sign on again")).to_be_visible()


def test_the_back_button_after_signing_out_shows_nothing_of_the_customer(visitor: Visitor) -> None:
    visitor.sign_on(ALEX, READ_BALANCE)
    visitor.ask(BALANCE_QUESTION)
    visitor.sign_out()
    for _ in range(3):
        visitor.page.go_back()
        expect(visitor.page.get_by_role("link", name="Sign on")).to_be_visible()
        expect(visitor.page.locator("body")).not_to_contain_text("Alex")


def test_a_wrong_password_is_told_on_the_page_and_the_right_one_still_works(
    visitor: Visitor, deployment: Deployment
) -> None:
    visitor.open("/login?consent=1")
    visitor.give_password(ALEX, "not the password")
    told = visitor.page.get_by_role("alert")
    expect(told).to_contain_text("do not match")
    expect(visitor.page.get_by_label("User name")).to_have_value(ALEX)
    visitor.give_password(ALEX, deployment.password)
    visitor.allow(READ_BALANCE)
    visitor.expect_signed_on()
    visitor.sign_out()


APPEARANCES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@pytest.mark.parametrize("appearance", APPEARANCES)
def test_no_page_shows_a_mistake_or_is_cut_off(
    appearance: str, new_visitor: NewVisitor, deployment: Deployment
) -> None:
    visitor = new_visitor(**APPEARANCES[appearance])

    def look(page: str) -> None:
        visitor.expect_no_mistake()
        visitor.expect_nothing_cut_off()
        visitor.screenshot(f"{appearance}-{page}")

    visitor.open()
    expect(visitor.page.get_by_role("link", name="Sign on")).to_be_visible()
    look("1-landing")
    visitor.open("/login?consent=1")
    look("2-sign-on")
    visitor.give_password(ALEX, deployment.password)
    look("3-consent")
    visitor.allow(READ_BALANCE, READ_TRANSACTIONS)
    visitor.expect_signed_on()
    expect(visitor.page.locator(".transactions").first).to_be_visible()
    expect(visitor.page.locator("canvas, svg.marks").first).to_be_visible()
    look("4-overview")
    visitor.ask(BALANCE_QUESTION)
    again = visitor.ask(BALANCE_QUESTION)
    if again.states[2] == "done":  # The actor token had just expired; the new one serves for the next.
        again = visitor.ask(BALANCE_QUESTION)
    assert again.states == ["permit", "permit", "spared", "permit", "permit", "permit"]
    again.open_hood()
    look("5-assistant")
    visitor.ask("x" * 2_001)
    assert "2,000 characters at most; this one has 2,001." in visitor.trouble().for_the_customer
    look("5-assistant-too-long")
    visitor.open("/permissions")
    expect(visitor.page.get_by_role("button", name="Withdraw this permission")).to_be_visible()
    look("6-permissions")
    visitor.sign_out()
    look("7-signed-out")
