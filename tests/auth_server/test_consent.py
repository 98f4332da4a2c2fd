"""The consent page: the customer decides, may allow less than asked, and nobody decides for them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from auth_server.agent_history import By
from auth_server.agent_registry import Transition, change_state
from tests.auth_server.browser import Browser, Page
from tests.auth_server.servers import (
    AGENT,
    BALANCE,
    CALLBACK,
    ISSUER,
    TRANSACTIONS,
    TRANSFER,
    AuthorizationRequest,
    AuthServer,
    claims,
    decide,
    sign_on,
)


@pytest.fixture
def browser(server: AuthServer) -> Browser:
    return server.browser()


@pytest.fixture
def request_() -> AuthorizationRequest:
    return AuthorizationRequest()


@pytest.fixture
def page(browser: Browser, request_: AuthorizationRequest, customer: str) -> Page:
    """The consent page, as the customer sees it for the first time."""
    return sign_on(browser, request_, customer)


def granted(server: AuthServer, customer: str) -> list[str]:
    """Return what each given grant of the customer allows, by the records."""
    records = server.records(operation="grant.give", sub=customer, decision="permit")
    return [record["scope"] for record in records]


def test_the_page_names_the_agent_its_owner_and_each_permission_in_plain_words(
    server: AuthServer, page: Page, customer: str
) -> None:
    for words in (
        "Bank Assistant",
        AGENT,
        "Digital Channels, Example Bank",
        customer,
        "See your accounts and their balances",
        "Move money from your accounts",
        "13 September 2026",
    ):
        assert words in page.text
    assert page.form.choices == {f"allow:{scope}" for scope in (BALANCE, TRANSACTIONS, TRANSFER)}


def test_what_moves_money_is_not_ticked_beforehand(page: Page) -> None:
    ticked = page.form.fields.keys() & page.form.choices
    assert ticked == {f"allow:{BALANCE}", f"allow:{TRANSACTIONS}"}


def test_only_what_the_app_asks_for_is_on_the_page(server: AuthServer, customer: str) -> None:
    request = AuthorizationRequest(scope=f"openid {BALANCE}")
    page = sign_on(server.browser(), request, customer)
    assert page.form.choices == {f"allow:{BALANCE}"}


def test_the_customer_may_allow_less_than_asked(
    server: AuthServer, browser: Browser, request_: AuthorizationRequest, page: Page
) -> None:
    tokens = server.redeem(browser, decide(browser, page, {f"allow:{TRANSACTIONS}"}), request_)
    assert claims(tokens.token_for(AGENT))["scope"] == TRANSACTIONS


def test_to_allow_nothing_is_said_to_be_no_decision(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    again = decide(browser, page, set())
    assert again.status == 400
    assert "Tick what the assistant may do" in again.text
    assert granted(server, customer) == []
    assert decide(browser, again, {f"allow:{BALANCE}"}).leads_to == CALLBACK


def test_whoever_declines_is_signed_on_and_allows_nothing(
    server: AuthServer, browser: Browser, request_: AuthorizationRequest, page: Page, customer: str
) -> None:
    back = browser.submit(page, "Go on without the assistant")
    assert server.redeem(browser, back, request_).token_for(ISSUER)
    assert granted(server, customer) == []
    [record] = server.records(operation="grant.give", sub=customer)
    assert record["decision"] == "deny"


def test_declining_when_asked_again_leaves_the_grant_as_it_is(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer, allow=BALANCE)
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    tokens.browser.submit(page, "Leave it as it is")
    assert claims(tokens.token_for(AGENT))["scope"] == BALANCE


def test_asked_again_the_page_has_the_earlier_choice_ticked(server: AuthServer, customer: str) -> None:
    browser = server.sign_on(customer, allow=TRANSFER).browser
    page = browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    assert page.form.fields.keys() & page.form.choices == {f"allow:{TRANSFER}"}


def test_a_new_grant_takes_the_place_of_the_earlier_one(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer, allow=BALANCE)
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    decide(tokens.browser, page, {f"allow:{TRANSFER}"})
    assert claims(tokens.token_for(AGENT))["scope"] == TRANSFER
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    assert len(server.http.get("/grants", headers=own).json()["grants"]) == 1


def test_of_two_decisions_at_the_same_moment_one_is_in_force(server: AuthServer, customer: str) -> None:
    first, second = server.sign_on(customer), server.sign_on(customer)
    for _ in range(4):
        pages = [
            tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
            for tokens in (first, second)
        ]
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(decide, first.browser, pages[0], {f"allow:{BALANCE}"})
            other = pool.submit(decide, second.browser, pages[1], {f"allow:{TRANSFER}"})
            assert one.result().parameters.keys() == other.result().parameters.keys()
            assert "code" in one.result().parameters
    own = {"authorization": f"Bearer {first.token_for(ISSUER)}"}
    [grant] = server.http.get("/grants", headers=own).json()["grants"]
    [scope] = grant["scope"]
    assert claims(first.token_for(AGENT))["scope"] == scope["name"]


def test_a_permission_added_to_the_form_that_was_not_asked_for_is_not_granted(
    server: AuthServer, customer: str
) -> None:
    browser, request = server.browser(), AuthorizationRequest(scope=f"openid {BALANCE}")
    page = sign_on(browser, request, customer)
    added = {f"allow:{TRANSFER}": "on", "allow:openid": "on", "allow:everything": "on"}
    browser.submit(page, "Allow what is ticked", **added)
    assert granted(server, customer) == [BALANCE]


def test_a_form_with_nothing_but_foreign_permissions_grants_nothing(
    server: AuthServer, customer: str
) -> None:
    browser, request = server.browser(), AuthorizationRequest(scope=f"openid {BALANCE}")
    page = sign_on(browser, request, customer)
    ticks = {f"allow:{TRANSFER}": "on", f"allow:{BALANCE}": None}
    assert browser.submit(page, "Allow what is ticked", **ticks).status == 400
    assert granted(server, customer) == []


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"csrf": None}, id="no token"),
        pytest.param({"csrf": "0" * 64}, id="an invented token"),
        pytest.param({"csrf": "ü"}, id="a token of strange letters"),
    ],
)
def test_a_forged_form_changes_nothing_with(
    server: AuthServer, browser: Browser, page: Page, customer: str, forged: dict[str, str | None]
) -> None:
    answer = browser.submit(page, "Allow what is ticked", **forged)
    assert (answer.status, answer.leads_to) == (400, "")
    assert granted(server, customer) == []


def test_a_form_made_for_another_browser_changes_nothing(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    attacker = server.browser().open("/authorize", AuthorizationRequest().query)
    answer = browser.submit(page, "Allow what is ticked", csrf=attacker.form.fields["csrf"])
    assert answer.status == 400
    assert granted(server, customer) == []


def test_a_form_without_the_browsers_cookie_changes_nothing(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    browser.http.cookies.delete("auth_csrf")
    assert browser.submit(page, "Allow what is ticked").status == 400
    assert granted(server, customer) == []


@pytest.mark.parametrize("cookie", ["", "x", "a" * 44, '"\\001\\002"', "a" * 42 + "%"])
def test_a_browser_cannot_choose_its_own_cookie_against_forgery(server: AuthServer, cookie: str) -> None:
    browser = server.browser()
    answer = browser.http.get("/end-session", headers={"cookie": f"auth_csrf={cookie}"})
    assert answer.status_code == 200
    assert len(browser.open("/authorize", AuthorizationRequest().query).form.fields["csrf"]) == 64


def test_a_page_that_was_opened_by_another_customer_decides_nothing(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    """Two people at one browser: who signed on last is not who read the page."""
    other = server.new_customer()
    sign_on(browser, AuthorizationRequest(prompt="login"), other)
    answer = browser.submit(page, "Allow what is ticked")
    assert answer.status == 400
    assert granted(server, customer) == granted(server, other) == []


def test_a_page_left_open_after_sign_out_decides_nothing(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    browser.submit(browser.open("/end-session"), "Sign out")
    assert browser.submit(page, "Allow what is ticked").status == 400
    assert granted(server, customer) == []


def test_the_form_cannot_be_sent_for_a_request_that_is_not_sound(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    fields = page.form.fields | page.form.buttons["Allow what is ticked"]
    action = page.form.action.replace("localhost%3A8501", "evil.example")
    answer = browser.post(action, fields)
    assert (answer.status, answer.leads_to) == (400, "")
    assert granted(server, customer) == []


def test_the_form_cannot_be_sent_for_a_request_that_names_no_agent(
    server: AuthServer, browser: Browser, page: Page, customer: str
) -> None:
    fields = page.form.fields | page.form.buttons["Allow what is ticked"]
    request = AuthorizationRequest(resource=ISSUER)
    back = browser.post(f"/consent?{request.encoded}", fields)
    assert back.parameters["error"] == "invalid_target"
    assert back.parameters["state"] == request["state"]
    assert granted(server, customer) == []


@pytest.mark.parametrize("transition", ["suspend", "retire"])
def test_whoever_has_the_page_open_while_the_agent_is_stopped_is_told_so_and_allows_nothing(
    own_server: AuthServer, transition: Transition
) -> None:
    server, request = own_server, AuthorizationRequest()
    customer, browser = server.new_customer(), server.browser()
    page = sign_on(browser, request, customer)
    by = By(who="a test", why="to see it", at=server.clock())
    with server.context.transaction() as db:
        change_state(db, AGENT, transition, by)
    told = decide(browser, page, page.form.choices)
    assert (told.status, told.leads_to) == (409, "")
    assert "The bank has stopped this assistant" in told.text
    assert granted(server, customer) == []
    [record] = server.records(operation="grant.give", sub=customer)
    assert (record["decision"], record["act"]) == ("deny", [AGENT])
    again = server.browser()
    back = sign_on(again, AuthorizationRequest(prompt="login consent"), customer)
    assert back.leads_to == CALLBACK, "no consent page is offered for an agent that is stopped"


def test_the_page_cannot_be_framed_runs_no_script_and_is_not_kept(page: Page) -> None:
    policy = page.response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://localhost:8501" in policy
    assert page.response.headers["x-frame-options"] == "DENY"
    assert page.response.headers["cache-control"] == "no-store"
    assert page.response.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in page.text
