"""One audience for each token: RULES 5, 7, 28, 29; RFC 8707, RFC 9700 §2.3."""

import pytest

from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    TRANSFER,
    AuthorizationRequest,
    AuthServer,
    claims,
    sign_on,
)


@pytest.fixture(scope="module")
def server(sqlite_server: AuthServer) -> AuthServer:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_server


def test_without_a_resource_the_token_is_for_the_issuer(server: AuthServer, customer: str) -> None:
    response = server.sign_on(customer).refresh()
    assert claims(response.json()["access_token"])["aud"] == ISSUER


def test_one_sign_on_gives_one_token_for_each_resource(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    for resource in (AGENT, ACCOUNT_API, ISSUER):
        assert claims(tokens.token_for(resource))["aud"] == resource


def test_the_same_resource_twice_is_one_resource(server: AuthServer, customer: str) -> None:
    response = server.sign_on(customer).refresh(resource=[ACCOUNT_API, ACCOUNT_API])
    assert claims(response.json()["access_token"])["aud"] == ACCOUNT_API


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param([ACCOUNT_API, ISSUER], id="two resources"),
        pytest.param("https://elsewhere.example.com", id="an unknown resource"),
        pytest.param("accounts", id="a relative one"),
        pytest.param(f"{ACCOUNT_API}#part", id="one with a fragment"),
        pytest.param("https://[", id="one that is no URI"),
        pytest.param(f"{ACCOUNT_API}/", id="one with a slash more"),
    ],
)
def test_a_refresh_is_refused_for(server: AuthServer, customer: str, resource: str | list[str]) -> None:
    tokens = server.sign_on(customer)
    assert refusal(tokens.refresh(resource=resource)) == (400, "invalid_target")
    assert tokens.refresh(resource=ACCOUNT_API).status_code == 200, "a refused refresh uses nothing up"


@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        ("urn:example:x", "this resource is not one that may be asked for here"),
        ("accounts", "resource must be an absolute URI without a fragment"),
    ],
)
def test_only_what_is_no_absolute_uri_is_called_malformed(
    server: AuthServer, resource: str, sentence: str
) -> None:
    response = server.agent.token(grant_type="client_credentials", resource=resource)
    assert refusal(response) == (400, "invalid_target")
    assert response.json()["error_description"] == sentence


def test_a_resource_that_the_sign_on_was_not_for_is_refused(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest(resource=ACCOUNT_API)
    tokens = server.redeem(browser, sign_on(browser, request, customer), request)
    assert refusal(tokens.refresh(resource=AGENT)) == (400, "invalid_target")
    assert refusal(tokens.refresh(resource=ISSUER)) == (400, "invalid_target")


def test_a_scope_of_another_resource_is_refused(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    assert refusal(tokens.refresh(resource=ACCOUNT_API, scope="openid")) == (400, "invalid_scope")
    assert refusal(tokens.refresh(resource=ACCOUNT_API, scope=TRANSFER)) == (400, "invalid_scope")


def test_a_refresh_may_ask_for_less_scope(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    assert claims(tokens.token_for(ACCOUNT_API, scope=BALANCE))["scope"] == BALANCE


def test_a_refresh_cannot_ask_for_more_than_the_sign_on_did(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer, scope=f"openid {BALANCE}")
    response = tokens.refresh(resource=ACCOUNT_API, scope="account:read_transactions")
    assert refusal(response) == (400, "invalid_scope")


def test_the_subject_token_is_refused_while_the_customer_allows_nothing(
    server: AuthServer, customer: str
) -> None:
    browser, request = server.browser(), AuthorizationRequest()
    back = browser.submit(sign_on(browser, request, customer), "Go on without the assistant")
    tokens = server.redeem(browser, back, request)
    assert refusal(tokens.refresh(resource=AGENT)) == (400, "invalid_target")
