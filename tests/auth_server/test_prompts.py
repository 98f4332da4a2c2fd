"""When the customer is asked, and when the application forbids to ask: OpenID Connect Core §3.1.2.1."""

import pytest

from tests.auth_server.browser import Page
from tests.auth_server.servers import (
    ACCOUNT_API,
    CALLBACK,
    ISSUER,
    PASSWORD,
    AuthorizationRequest,
    AuthServer,
    claims,
    decide,
    sign_on,
)
from tests.clock import NOON


def is_sign_on(page: Page) -> bool:
    return page.status == 200 and "password" in page.form.fields


def is_consent(page: Page) -> bool:
    return page.status == 200 and "sid" in page.form.fields


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


def test_prompt_none_without_a_session_is_login_required(server: AuthServer) -> None:
    back = server.browser().open("/authorize", AuthorizationRequest(prompt="none").query)
    assert back.leads_to == CALLBACK
    assert back.parameters["error"] == "login_required"
    assert back.parameters["iss"] == ISSUER


def test_prompt_none_without_a_grant_is_consent_required(server: AuthServer, customer: str) -> None:
    browser = server.browser()
    sign_on(browser, AuthorizationRequest(resource=ACCOUNT_API), customer)
    request = AuthorizationRequest(prompt="none")
    back = browser.open("/authorize", request.query)
    assert back.leads_to == CALLBACK
    assert back.parameters["error"] == "consent_required"
    assert back.parameters["state"] == request["state"]


def test_prompt_none_with_session_and_grant_gives_a_code(server: AuthServer, customer: str) -> None:
    browser = server.sign_on(customer).browser
    assert "code" in browser.open("/authorize", AuthorizationRequest(prompt="none").query).parameters


@pytest.mark.parametrize("prompt", ["login", "select_account"])
def test_prompt_asks_for_the_password_again(server: AuthServer, customer: str, prompt: str) -> None:
    browser = server.sign_on(customer).browser
    page = browser.open("/authorize", AuthorizationRequest(prompt=prompt).query)
    assert is_sign_on(page)
    assert "code" in browser.submit(page, username=customer, password=PASSWORD).parameters


def test_prompt_consent_asks_for_the_grant_again(server: AuthServer, customer: str) -> None:
    browser = server.sign_on(customer).browser
    assert is_consent(browser.open("/authorize", AuthorizationRequest(prompt="consent").query))


def test_prompt_login_and_consent_asks_for_both(server: AuthServer, customer: str) -> None:
    browser = server.sign_on(customer).browser
    page = browser.open("/authorize", AuthorizationRequest(prompt="login consent").query)
    assert is_sign_on(page)
    assert is_consent(browser.submit(page, username=customer, password=PASSWORD))


def test_an_older_sign_on_than_max_age_is_made_anew(own_server: AuthServer) -> None:
    customer = own_server.new_customer()
    browser = own_server.sign_on(customer).browser
    own_server.clock.forward(seconds=100)
    request = AuthorizationRequest(max_age="100", resource=ACCOUNT_API)
    assert "code" in browser.open("/authorize", request.query).parameters
    own_server.clock.forward(seconds=1)
    request = AuthorizationRequest(max_age="100", resource=ACCOUNT_API)
    page = browser.open("/authorize", request.query)
    assert is_sign_on(page)
    back = browser.submit(page, username=customer, password=PASSWORD)
    tokens = own_server.redeem(browser, back, request)
    assert claims(tokens.first["id_token"])["auth_time"] == int(NOON.timestamp()) + 101


def test_max_age_with_prompt_none_is_login_required(own_server: AuthServer) -> None:
    browser = own_server.sign_on(own_server.new_customer()).browser
    own_server.clock.forward(seconds=2)
    back = browser.open("/authorize", AuthorizationRequest(max_age="1", prompt="none").query)
    assert back.parameters["error"] == "login_required"


def test_the_consent_form_is_no_way_round_a_fresh_sign_on(own_server: AuthServer) -> None:
    browser = own_server.browser()
    page = sign_on(browser, AuthorizationRequest(max_age="60"), own_server.new_customer())
    page = browser.open("/authorize", AuthorizationRequest(max_age="60").query)
    assert is_consent(page)
    own_server.clock.forward(seconds=61)
    assert is_sign_on(decide(browser, page, page.form.choices))
    assert own_server.records(operation="grant.give") == []


def test_a_session_ends_after_its_hours(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    own_server.clock.forward(hours=own_server.settings.sign_on_hours)
    assert is_sign_on(tokens.browser.open("/authorize", AuthorizationRequest().query))
    assert tokens.refresh().json()["error"] == "invalid_grant"
