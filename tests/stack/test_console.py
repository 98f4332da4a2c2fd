"""What staff do in the console, and what a customer in a chat sees of it.

Issue 4. Screenshots are left in test-results/e2e/ for a person to look at.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.stack.agent_registry import switch_agent
from tests.stack.deployment import (
    ADMINISTRATOR,
    ALEX,
    AUDITOR,
    OWNER,
    READ_BALANCE,
    READ_TRANSACTIONS,
    SAM,
    TRANSFER,
    Deployment,
)
from tests.stack.stack import Stack
from tests.stack.visitor import Visitor

NewVisitor = Callable[..., Visitor]
AGENT_NAME = "Bank Assistant"
REASON = "it answered <b>too much</b> & too soon"


@pytest.fixture
def active_agent(stack: Stack) -> Iterator[None]:
    """Leave the agent active, whatever the test came to."""
    yield
    try:
        switch_agent(stack, "resume")
    except AssertionError:
        return  # it is active


def staff(new_visitor: NewVisitor, sub: str, **options: Any) -> Visitor:
    """Return a window in which this member of staff has signed on."""
    visitor = new_visitor(**options)
    visitor.sign_on_as_staff(sub)
    return visitor


def open_agent(console: Visitor) -> None:
    console.open("/console")
    console.page.get_by_role("link", name=AGENT_NAME, exact=True).click()
    expect(console.page.get_by_role("heading", name=AGENT_NAME, exact=True)).to_be_visible()


def decide(console: Visitor, label: str, yes: str, reason: str) -> None:
    console.page.get_by_role("button", name=label).click()
    console.page.get_by_label("Reason").fill(reason)
    console.page.get_by_role("button", name=yes).click()


@pytest.mark.usefixtures("active_agent")
def test_suspending_the_agent_stops_a_chat_in_another_window_at_the_next_question_and_resuming_lets_it_go_on(
    new_visitor: NewVisitor, deployment: Deployment
) -> None:
    customer = new_visitor()
    customer.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    assert customer.ask("What is my balance?").states[-1] == "permit"
    console = staff(new_visitor, OWNER)
    open_agent(console)

    decide(console, "Suspend this agent", "Yes, suspend this agent", REASON)
    expect(console.page.get_by_role("status")).to_contain_text(f"{AGENT_NAME} is suspended now.")
    expect(console.page.locator(".agent-head .state")).to_contain_text("Suspended")
    expect(console.page.locator(".story > li").first).to_contain_text(f"“{REASON}”")
    console.screenshot("console-suspended")

    stopped = customer.ask("Show my last five transactions")
    assert stopped.states[3:] == ["deny", "waiting", "waiting"]
    assert "The bank does not let me see the transactions at the moment" in stopped.text
    trouble = customer.trouble()
    assert "The bank has suspended the assistant." in trouble.for_the_customer
    assert f"agents resume {deployment.agent_id}" in trouble.for_the_trainer
    expect(customer.page.get_by_role("link", name="Allow the assistant")).to_have_count(0)
    expect(customer.page.locator("body")).not_to_contain_text("You have not allowed")
    customer.screenshot("assistant-suspended")
    customer.open("/permissions")
    expect(customer.page.locator(".state-note")).to_contain_text("The bank has stopped this assistant")

    decide(console, "Resume this agent", "Yes, resume this agent", "it was mended")
    expect(console.page.get_by_role("status")).to_contain_text(f"{AGENT_NAME} is active now.")
    again = customer.ask("Show my last five transactions")
    assert again.states[3:] == ["permit", "permit", "permit"]
    console.sign_out()
    customer.sign_out()


@pytest.mark.usefixtures("active_agent")
def test_a_customer_who_signs_on_while_the_agent_is_suspended_is_told_so_and_offered_no_consent(
    new_visitor: NewVisitor, stack: Stack
) -> None:
    customer = new_visitor()
    customer.sign_on(SAM, READ_BALANCE)
    customer.sign_out()
    switch_agent(stack, "suspend")
    customer.open("/login")
    customer.give_password(SAM, customer.password)
    customer.expect_signed_on()
    customer.open("/assistant")
    customer.begin_to_ask("What is my balance?")
    assert "The bank has suspended the assistant." in customer.trouble().for_the_customer
    expect(customer.page.get_by_role("link", name="Allow the assistant")).to_have_count(0)
    customer.sign_out()


def test_a_reason_is_needed_and_what_is_not_confirmed_does_not_happen(new_visitor: NewVisitor) -> None:
    console = staff(new_visitor, ADMINISTRATOR)
    open_agent(console)
    decide(console, "Suspend this agent", "Yes, suspend this agent", "   ")
    expect(console.page.get_by_role("alert")).to_contain_text("Give a reason")
    console.page.get_by_role("button", name="Leave it as it is").click()
    expect(console.page.get_by_role("dialog")).to_have_count(0)
    console.page.get_by_role("button", name="Retire it for ever").click()
    expect(console.page.get_by_role("dialog")).to_contain_text("This is final.")
    console.screenshot("console-retire")
    console.page.get_by_role("button", name="Leave it as it is").click()
    console.open("/console")
    expect(console.page.locator(".ledger .state").first).to_contain_text("Active")
    console.sign_out()


def test_an_auditor_sees_everything_and_is_offered_no_change(new_visitor: NewVisitor) -> None:
    console = staff(new_visitor, AUDITOR)
    open_agent(console)
    expect(console.page.get_by_text("What is registered")).to_be_visible()
    expect(console.page.get_by_role("button", name="Suspend this agent")).to_have_count(0)
    expect(console.page.get_by_role("button", name="Withdraw")).to_have_count(0)
    expect(console.page.get_by_role("link", name="Register", exact=True)).to_have_count(0)
    console.open("/console?view=register")
    expect(console.page.locator("body")).to_contain_text("Auditors look, and change nothing")
    console.expect_no_mistake()
    console.sign_out()


def test_staff_land_in_the_console_and_a_customer_finds_nothing_there(new_visitor: NewVisitor) -> None:
    console = staff(new_visitor, OWNER)
    for page in ("/", "/assistant", "/permissions", "/activity"):
        console.open(page)
        expect(console.page.get_by_role("heading", level=1)).to_have_text("Console")
        expect(console.page.get_by_role("link", name="Assistant", exact=True)).to_have_count(0)
    console.sign_out()
    customer = new_visitor()
    customer.sign_on(ALEX, READ_BALANCE)
    expect(customer.page.get_by_role("link", name="Console")).to_have_count(0)
    customer.open("/console")
    expect(customer.page.locator("body")).to_contain_text("There is nothing for you here.")
    expect(customer.page.locator("body")).not_to_contain_text(AGENT_NAME)
    customer.sign_out()


def test_a_new_agent_is_registered_with_the_form_and_what_was_typed_stays_when_it_is_refused(
    new_visitor: NewVisitor,
) -> None:
    console = staff(new_visitor, OWNER)
    console.open("/console?view=register")
    page = console.page
    page.get_by_role("button", name="Register this agent").click()
    expect(page.get_by_role("alert")).to_contain_text("Identifier is missing.")
    page.get_by_label("Identifier").fill("http://card-agent.example.com")
    page.get_by_label("Name").fill("Card <i>Assistant</i>")
    page.get_by_label("Purpose").fill("Answers questions about cards")
    page.get_by_label("Who runs it").fill("Cards, Example Bank")
    page.get_by_label("Address of its keys").fill("https://card-agent.example.com/jwks.json")
    page.get_by_text("See accounts and their balances").click()
    page.get_by_text("As a draft: it can do nothing until it is resumed").click()
    page.get_by_role("button", name="Register this agent").click()
    expect(page.get_by_role("alert")).to_contain_text("agent_id: must be an https URL")
    expect(page.get_by_label("Purpose")).to_have_value("Answers questions about cards")
    console.screenshot("console-register-refused")
    page.get_by_label("Identifier").fill("https://card-agent.example.com")
    page.get_by_role("button", name="Register this agent").click()
    expect(page.get_by_role("status")).to_contain_text("Card <i>Assistant</i> is registered, and draft.")
    page.get_by_role("link", name="Look at it").click()
    expect(page.get_by_role("heading", name="Card <i>Assistant</i>")).to_be_visible()
    expect(page.locator(".registered")).to_contain_text(OWNER)
    decide(console, "Retire it for ever", "Yes, retire it for ever", "the test is over")
    expect(page.locator(".agent-head .state")).to_contain_text("Retired")
    expect(page.get_by_role("button", name="Resume this agent")).to_have_count(0)
    console.sign_out()


@pytest.mark.parametrize(
    ("sub", "stages"), [(OWNER, ["Issuance"]), (AUDITOR, ["Issuance", "Decision", "Execution"])]
)
def test_the_audit_joins_what_the_agent_did_with_who_allowed_it(
    new_visitor: NewVisitor, sub: str, stages: list[str]
) -> None:
    customer = new_visitor()
    customer.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    trace_id = customer.ask("Show my last five transactions").trace_id
    customer.sign_out()
    console = staff(new_visitor, sub)
    console.open("/console?view=audit")
    console.page.get_by_label("Trace id").fill(trace_id)
    console.page.get_by_role("button", name="Search").click()
    expect(console.page.get_by_text("1 trace, newest first")).to_be_visible()
    row = console.page.locator(".trace-row")
    expect(row).to_contain_text(ALEX)
    row.locator("summary").click()
    for stage in stages:
        expect(row.locator("tbody")).to_contain_text(stage)
    expect(console.page.locator(".lacking")).to_have_count(0)
    why = console.page.get_by_text("to administrators and auditors only")
    expect(why).to_have_count(1 if sub == OWNER else 0)
    expect(row).to_contain_text(f"Who allowed it: {ALEX}, since")
    console.expect_no_mistake()
    console.screenshot(f"console-audit-{sub.partition('@')[0]}")
    console.page.get_by_role("button", name="Prepare a download of everything found").click()
    with console.page.expect_download() as download:
        console.page.get_by_role("button", name="Download as JSON lines").click()
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert {line["trace_id"] for line in lines} == {trace_id}
    assert "token.exchange" in {line["operation"] for line in lines}
    console.sign_out()


def test_no_page_of_staff_shows_a_mistake_or_is_cut_off(new_visitor: NewVisitor) -> None:
    customer = new_visitor()
    customer.sign_on(ALEX, READ_BALANCE, TRANSFER)
    customer.ask("What is my balance?")
    customer.ask("Show my last five transactions")
    customer.ask("Send 1.50 euros to Maria Lopez")
    customer.ask("yes")
    console = staff(new_visitor, ADMINISTRATOR)
    customer.open("/activity")
    expect(customer.page.locator(".deeds").first).to_contain_text("Bank Assistant sent a transfer.")
    expect(customer.page.get_by_label("By which assistant")).to_be_visible()
    customer.look("8-activity")
    expect(console.page.locator(".ledger.agents")).to_contain_text(AGENT_NAME)
    console.look("9-console")
    open_agent(console)
    expect(console.page.get_by_role("heading", name="History")).to_be_visible()
    expect(console.page.locator("canvas, svg.marks").first).to_be_visible()
    console.look("9-console-agent")
    console.page.get_by_role("button", name="Suspend this agent").click()
    expect(console.page.get_by_role("dialog")).to_contain_text("stops at once")
    expect(console.page.get_by_label("Reason")).to_be_visible()
    console.look("9-console-suspend")
    console.page.get_by_role("button", name="Leave it as it is").click()
    console.page.get_by_role("link", name="Register", exact=True).click()
    expect(console.page.get_by_role("button", name="Register this agent")).to_be_visible()
    expect(console.page.get_by_label("Customers")).to_be_visible()
    console.look("9-console-register")
    console.page.get_by_role("link", name="Audit", exact=True).click()
    expect(console.page.get_by_role("button", name="Search")).to_be_visible()
    expect(console.page.get_by_label("Trace id")).to_be_visible()
    expect(console.page.locator(".traces, .panel")).to_be_visible()
    console.look("9-console-audit")
    console.sign_out()
    customer.sign_out()
