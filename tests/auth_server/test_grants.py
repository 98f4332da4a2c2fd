"""What a customer allows: listed, withdrawn, and nobody else's business (Grant Management for OAuth 2.0)."""

import httpx2

from tests.auth_server.servers import (
    AGENT,
    BALANCE,
    ISSUER,
    TRANSACTIONS,
    AuthorizationRequest,
    AuthServer,
    sign_on,
)
from tests.clock import NOON


def call(server: AuthServer, method: str, path: str, token: str) -> httpx2.Response:
    return server.http.request(method, path, headers={"authorization": f"Bearer {token}"})


def test_the_list_says_what_is_allowed_to_whom_and_until_when(server: AuthServer, customer: str) -> None:
    own = server.sign_on(customer, allow=f"{BALANCE} {TRANSACTIONS}").token_for(ISSUER)
    [grant] = call(server, "GET", "/grants", own).json()["grants"]
    assert grant.pop("grant_id")
    assert grant == {
        "agent": {
            "id": AGENT,
            "name": "Bank Assistant",
            "owner": "Digital Channels, Example Bank",
            "state": "active",
            "is_for_you": True,
            "max_transfer_minor": None,
        },
        "scope": [
            {"name": BALANCE, "description": "See your accounts and their balances"},
            {
                "name": TRANSACTIONS,
                "description": "See what came in and what went out of your accounts",
            },
        ],
        "created_at": NOON.isoformat(),
        "expires_at": "2026-09-13T12:00:00+00:00",
        "last_used_at": None,
        "last_used_scope": None,
    }


def test_the_list_is_empty_while_nothing_is_allowed(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest()
    back = browser.submit(sign_on(browser, request, customer), "Go on without the assistant")
    own = server.redeem(browser, back, request).token_for(ISSUER)
    assert call(server, "GET", "/grants", own).json() == {"grants": []}


def test_a_withdrawn_grant_is_gone_from_the_list(server: AuthServer, customer: str) -> None:
    own = server.sign_on(customer).token_for(ISSUER)
    [grant] = call(server, "GET", "/grants", own).json()["grants"]
    response = call(server, "DELETE", f"/grants/{grant['grant_id']}", own)
    assert (response.status_code, response.content) == (204, b"")
    assert call(server, "GET", "/grants", own).json() == {"grants": []}
    assert call(server, "DELETE", f"/grants/{grant['grant_id']}", own).status_code == 404


def test_another_customers_grant_looks_like_none(server: AuthServer, customer: str) -> None:
    own = server.sign_on(customer).token_for(ISSUER)
    others_own = server.sign_on(server.new_customer()).token_for(ISSUER)
    [grant] = call(server, "GET", "/grants", own).json()["grants"]
    others = call(server, "DELETE", f"/grants/{grant['grant_id']}", others_own)
    unknown = call(server, "DELETE", "/grants/no-such-grant", others_own)
    assert others.status_code == unknown.status_code == 404
    assert others.json() == unknown.json()
    assert call(server, "GET", "/grants", own).json()["grants"] == [grant]
