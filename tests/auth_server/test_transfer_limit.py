"""An agent's largest transfer, from the registry into the delegation token: RFC 9396, in a token exchange."""

from datetime import timedelta
from typing import Any

import pytest

from auth_server.tokens import TokenContent
from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope
from delegation.token import Actor
from tests.auth_server.administration import StaffMember, staff_member
from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    AGENT,
    BALANCE,
    ISSUER,
    TRANSFER,
    AuthorizationRequest,
    AuthServer,
    Tokens,
    claims,
    decide,
    sign_on,
)

BOTH = f"{BALANCE} {TRANSFER}"
ASKED = '[{"type":"account_transfer","max_amount_minor":100}]'


@pytest.fixture
def server(own_server_on_each: AuthServer) -> AuthServer:
    """A server of each test's own: the demo's agent is changed."""
    return own_server_on_each


@pytest.fixture
def owner(server: AuthServer) -> StaffMember:
    return staff_member(server, "administrator")


def limit(owner: StaffMember, most: int | None) -> None:
    owner.done("PATCH", "/admin/agent", {"max_transfer_minor": most}, agent_id=AGENT)


def details(most: int) -> list[dict[str, Any]]:
    return [{"type": "account_transfer", "max_amount_minor": most}]


def exchanged(server: AuthServer, subject_token: str, scope: str = BOTH) -> dict[str, Any]:
    response = server.exchange(subject_token, scope=scope)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def delegated_before(server: AuthServer, tokens: Tokens, most: int | None) -> str:
    """Return a token with which an agent delegates further to the demo's: nothing here issues one yet."""
    subject = claims(tokens.token_for(AGENT))
    content = TokenContent(
        sub=subject["sub"],
        client_id="https://first-agent.example.com",
        audience=AGENT,
        scope=Scope.parse(subject["scope"]),
        expires_at=server.clock() + timedelta(minutes=5),
        act=Actor("https://first-agent.example.com"),
        may_act=AGENT,
        account_transfer=AccountTransfer(most) if most else None,
        parent_jti=subject["jti"],
    )
    with server.context.transaction() as db:
        encoded, _ = server.context.server.tokens.issue(db, content, server.clock())
    return encoded


def test_the_limit_stands_in_the_token_its_answer_and_its_introspection(
    server: AuthServer, owner: StaffMember
) -> None:
    limit(owner, 5000)
    body = exchanged(server, server.sign_on(server.new_customer()).token_for(AGENT))
    assert body["authorization_details"] == details(5000)
    assert claims(body["access_token"])["authorization_details"] == details(5000)
    assert server.agent.introspect(body["access_token"])["authorization_details"] == details(5000)
    metadata = server.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["authorization_details_types_supported"] == ["account_transfer"]


def test_a_token_that_moves_no_money_and_one_of_an_agent_without_limit_have_none(
    server: AuthServer, owner: StaffMember
) -> None:
    subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
    unlimited = exchanged(server, subject_token)
    limit(owner, 5000)
    reading = exchanged(server, subject_token, BALANCE)
    for body in (unlimited, reading):
        assert "authorization_details" not in body
        assert "authorization_details" not in claims(body["access_token"])
        assert "authorization_details" not in server.agent.introspect(body["access_token"])


def test_the_customer_reads_the_limit_where_they_allow_it_and_in_the_list_of_what_they_allow(
    server: AuthServer, owner: StaffMember
) -> None:
    browser, request, customer = server.browser(), AuthorizationRequest(), server.new_customer()
    assert "at a time" not in sign_on(browser, request, customer).text
    limit(owner, 123_450)
    page = browser.open("/authorize", request.query)
    assert "Move money from your accounts, after asking you, at most 1,234.50 in the account" in page.text
    token = server.sign_on(customer).token_for(ISSUER)
    listed = server.http.get("/grants", headers={"authorization": f"Bearer {token}"}).json()["grants"]
    assert [grant["agent"]["max_transfer_minor"] for grant in listed] == [123_450]


def test_a_changed_limit_counts_from_the_next_exchange(server: AuthServer, owner: StaffMember) -> None:
    subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
    for most in (5000, 100, 7000):
        limit(owner, most)
        assert exchanged(server, subject_token)["authorization_details"] == details(most)
    limit(owner, None)
    assert "authorization_details" not in exchanged(server, subject_token)


def renewed(tokens: Tokens) -> Tokens:
    """Let the customer answer the consent page again, with all ticked."""
    request = AuthorizationRequest(prompt="consent")
    page = tokens.browser.open("/authorize", request.query)
    return tokens.server.redeem(tokens.browser, decide(tokens.browser, page, page.form.choices), request)


def limit_listed(server: AuthServer, tokens: Tokens) -> int | None:
    headers = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    [grant] = server.http.get("/grants", headers=headers).json()["grants"]
    most: int | None = grant["agent"]["max_transfer_minor"]
    return most


def test_a_consent_is_never_widened_without_the_customer(server: AuthServer, owner: StaffMember) -> None:
    limit(owner, 25_000)
    tokens = server.sign_on(server.new_customer())
    subject_token = tokens.token_for(AGENT)
    for own, counts in ((None, 25_000), (10_000, 10_000), (90_000, 25_000)):
        limit(owner, own)
        body = exchanged(server, subject_token)
        assert body["authorization_details"] == details(counts)
        assert claims(body["access_token"])["authorization_details"] == details(counts)
        assert limit_listed(server, tokens) == counts
    tokens = renewed(tokens)
    assert exchanged(server, tokens.token_for(AGENT))["authorization_details"] == details(90_000)
    assert limit_listed(server, tokens) == 90_000
    limit(owner, None)
    tokens = renewed(tokens)
    assert "authorization_details" not in exchanged(server, tokens.token_for(AGENT))
    assert limit_listed(server, tokens) is None


def test_a_customer_allows_no_more_than_the_page_named_and_the_agent_had_when_they_answered(
    server: AuthServer, owner: StaffMember
) -> None:
    changes = ((None, 10_000, 10_000), (25_000, 90_000, 25_000), (25_000, 10_000, 10_000), (500, None, 500))
    for read, at_the_answer, counts in changes:
        browser, request = server.browser(), AuthorizationRequest()
        if read is not None:
            limit(owner, read)
        page = sign_on(browser, request, server.new_customer())
        limit(owner, at_the_answer)
        tokens = server.redeem(browser, decide(browser, page, page.form.choices), request)
        limit(owner, 95_000)
        assert exchanged(server, tokens.token_for(AGENT))["authorization_details"] == details(counts)


def test_an_answer_that_does_not_say_which_limit_was_read_allows_nothing(
    server: AuthServer, owner: StaffMember
) -> None:
    limit(owner, 25_000)
    browser, customer = server.browser(), server.new_customer()
    page = sign_on(browser, AuthorizationRequest(), customer)
    for named in (None, "", "-1", "0", "1e3", "9" * 30, "any"):
        answer = browser.submit(page, "Allow what is ticked", max_transfer_minor=named)
        assert (answer.status, answer.leads_to) == (400, "")
    assert server.records(operation="grant.give", sub=customer, decision="permit") == []


def test_a_consent_renewed_at_a_smaller_limit_ends_what_was_delegated_at_the_larger(
    server: AuthServer, owner: StaffMember
) -> None:
    limit(owner, 25_000)
    tokens = server.sign_on(server.new_customer())
    before = exchanged(server, tokens.token_for(AGENT))["access_token"]
    renewed(tokens)
    assert server.agent.introspect(before)["active"] is True
    limit(owner, 10_000)
    renewed(tokens)
    assert server.agent.introspect(before) == {"active": False}


def test_of_a_chain_of_agents_the_smallest_limit_counts(server: AuthServer, owner: StaffMember) -> None:
    tokens = server.sign_on(server.new_customer())
    for before, own, counts in ((100, 5000, 100), (5000, 200, 200), (None, 300, 300), (100, None, 100)):
        limit(owner, own)
        body = exchanged(server, delegated_before(server, tokens, before))
        assert body["authorization_details"] == claims(body["access_token"])["authorization_details"]
        assert body["authorization_details"] == details(counts)
        assert claims(body["access_token"])["act"]["act"] == {"sub": "https://first-agent.example.com"}


def test_nobody_sets_a_limit_by_asking_for_one(server: AuthServer, owner: StaffMember) -> None:
    limit(owner, 5000)
    tokens = server.sign_on(server.new_customer())
    error = (400, "invalid_authorization_details")
    asked = {"authorization_details": ASKED}
    assert refusal(server.exchange(tokens.token_for(AGENT), scope=BOTH, **asked)) == error
    assert refusal(server.agent.token(grant_type="client_credentials", **asked)) == error
    assert refusal(tokens.refresh(resource=AGENT, **asked)) == error
    denied = server.records(operation="token.exchange", decision="deny")[-1]
    assert denied["reason"].startswith("invalid_authorization_details: leave authorization_details out")
    page = server.browser().open("/authorize", AuthorizationRequest(**asked).query)
    assert page.parameters["error"] == "invalid_authorization_details"
