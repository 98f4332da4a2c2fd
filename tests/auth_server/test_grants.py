"""What a customer allows: listed, withdrawn, and nobody else's business (Grant Management for OAuth 2.0)."""

from typing import Any
from urllib.parse import urlencode

import httpx2

from auth_server.agent_history import By
from auth_server.agent_registry import Transition, change_state, edit
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


def test_an_app_learns_of_an_agents_state_before_the_customer_has_allowed_it_anything(
    own_server: AuthServer,
) -> None:
    server, customer = own_server, own_server.new_customer()
    browser, request = server.browser(), AuthorizationRequest()
    back = browser.submit(sign_on(browser, request, customer), "Go on without the assistant")
    own = server.redeem(browser, back, request).token_for(ISSUER)
    who: dict[str, Any] = {"id": AGENT, "name": "Bank Assistant", "owner": "Digital Channels, Example Bank"}
    who |= {"is_for_you": True, "max_transfer_minor": None}
    by = By(who="a test", why="to see it", at=server.clock())
    asked = f"/grants?{urlencode({'agent_id': AGENT})}"
    steps: dict[Transition, str] = {"suspend": "suspended", "resume": "active", "retire": "retired"}
    for transition, state in steps.items():
        with server.context.transaction() as db:
            change_state(db, AGENT, transition, by)
        assert call(server, "GET", asked, own).json() == {"grants": [], "agent": who | {"state": state}}


def test_an_agent_that_is_not_there_for_the_customer_is_none(own_server: AuthServer) -> None:
    server = own_server
    own = server.sign_on(server.new_customer()).token_for(ISSUER)
    by = By(who="a test", why="to see it", at=server.clock())
    with server.context.transaction() as db:
        edit(db, AGENT, {"customers": [server.new_customer()]}, by)
    assert call(server, "GET", "/grants?agent_id=%00", own).status_code == 422
    for agent_id in (AGENT, "https://nobody.example.com"):
        asked = f"/grants?{urlencode({'agent_id': agent_id})}"
        assert call(server, "GET", asked, own).json()["agent"] is None


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
