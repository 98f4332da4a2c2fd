"""Whom an agent may act for: named customers, groups of customers, or all (issue 4). RFC 8693 §2.2.2."""

import pytest

from delegation.signing_key import SigningKey
from tests.auth_server.administration import BECAUSE, StaffMember, described, staff_member
from tests.auth_server.browser import Page
from tests.auth_server.client import refusal
from tests.auth_server.registry import Command, Registry
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    AuthorizationRequest,
    AuthServer,
    decide,
    sign_on,
)


@pytest.fixture
def server(own_server_on_each: AuthServer) -> AuthServer:
    """A server of each test's own: the demo's agent is changed."""
    return own_server_on_each


@pytest.fixture
def administrator(server: AuthServer) -> StaffMember:
    return staff_member(server, "administrator")


def limit(administrator: StaffMember, **whom: list[str] | None) -> None:
    administrator.done("PATCH", "/admin/agent", whom, agent_id=AGENT)


def group(administrator: StaffMember, customer: str, *groups: str) -> None:
    sent = {"groups": list(groups)} | BECAUSE
    shown = administrator.done("PUT", "/admin/customer/groups", sent, sub=customer)
    assert shown["groups"] == sorted(groups)


def test_an_agent_acts_for_customers_named_or_in_a_named_group_and_for_no_others(
    server: AuthServer, administrator: StaffMember
) -> None:
    named, member, other, elsewhere = (server.new_customer() for _ in range(4))
    group(administrator, member, "pilot", "staff")
    group(administrator, elsewhere, "private-banking")
    tokens = {sub: server.sign_on(sub) for sub in (named, member, other, elsewhere)}
    subjects = {sub: signed_on.token_for(AGENT) for sub, signed_on in tokens.items()}

    def served() -> set[str]:
        return {sub for sub, token in subjects.items() if server.exchange(token).status_code == 200}

    assert served() == subjects.keys()
    limit(administrator, customers=[named])
    assert served() == {named}
    limit(administrator, groups=["pilot", "nobody-is-in-it"])
    assert served() == {named, member}
    limit(administrator, customers=None)
    assert served() == {member}
    answer = server.exchange(subjects[other])
    assert refusal(answer) == (400, "invalid_request")
    assert answer.json()["error_description"] == "this agent may not act for this customer"
    assert server.records(operation="token.exchange", decision="deny")[-1]["sub"] == other
    assert refusal(tokens[other].refresh(resource=AGENT)) == (400, "invalid_target")
    limit(administrator, groups=None)
    assert served() == subjects.keys()


def test_a_change_of_a_customers_groups_counts_from_the_next_exchange(
    server: AuthServer, administrator: StaffMember
) -> None:
    limit(administrator, groups=["pilot"])
    customer = server.new_customer()
    group(administrator, customer, "pilot")
    subject_token = server.sign_on(customer).token_for(AGENT)
    held = server.exchange(subject_token).json()["access_token"]
    group(administrator, customer, "other")
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
    assert server.agent.introspect(held)["active"], "what it holds runs out by itself"
    group(administrator, customer, "other", "pilot")
    assert server.exchange(subject_token).status_code == 200
    reasons = [record["reason"] for record in server.records(operation="customer.groups", resource=customer)]
    assert reasons == [
        f"{administrator.sub}: {what}: the test"
        for what in ("into pilot", "into other, out of pilot", "into pilot")
    ]


def is_told(page: Page) -> bool:
    return "Bank Assistant cannot act for you" in page.text and "you are not one of them" in page.text


def test_a_customer_outside_is_told_on_the_page_and_goes_on_without_a_grant(
    server: AuthServer, administrator: StaffMember
) -> None:
    limit(administrator, groups=["pilot"])
    customer, browser, request = server.new_customer(), server.browser(), AuthorizationRequest()
    page = sign_on(browser, request, customer)
    assert is_told(page)
    assert page.response.status_code == 200
    assert not page.form.choices
    after = browser.submit(page, "Go on without the assistant")
    tokens = server.redeem(browser, after, request, resource=ISSUER)
    own = {"authorization": f"Bearer {tokens.first['access_token']}"}
    assert server.http.get("/grants", headers=own).json() == {"grants": []}
    assert tokens.refresh(resource=ACCOUNT_API).status_code == 200
    [record] = server.records(operation="grant.give", sub=customer)
    assert (record["decision"], record["act"]) == ("deny", [AGENT])
    assert record["reason"] == "the agent may not act for this customer"
    group(administrator, customer, "pilot")
    assert "act for you?" in browser.open("/authorize", request.query).text


def test_a_consent_that_comes_after_the_agent_was_limited_makes_no_grant(
    server: AuthServer, administrator: StaffMember
) -> None:
    customer, browser = server.new_customer(), server.browser()
    page = sign_on(browser, AuthorizationRequest(), customer)
    limit(administrator, groups=["pilot"])
    after = decide(browser, page, page.form.choices)
    assert after.response.status_code == 403
    assert is_told(after)
    assert [one["decision"] for one in server.records(operation="grant.give", sub=customer)] == ["deny"]
    assert "code" in browser.submit(after, "Go on without the assistant").parameters


def test_where_nothing_may_be_shown_the_sign_on_goes_on_without_the_agent(
    server: AuthServer, administrator: StaffMember
) -> None:
    limit(administrator, customers=["somebody@example.com"])
    browser = server.browser()
    assert is_told(sign_on(browser, AuthorizationRequest(), server.new_customer()))
    silent = AuthorizationRequest(prompt="none")
    assert "code" in browser.open("/authorize", silent.query).parameters


def test_an_agent_that_is_there_is_asked_for_beside_one_that_is_not(
    server: AuthServer, administrator: StaffMember
) -> None:
    limit(administrator, groups=["pilot"])
    other = administrator.register()
    request = AuthorizationRequest(resource=[AGENT, other, ACCOUNT_API, ISSUER])
    page = sign_on(server.browser(), request, server.new_customer())
    assert "May Card Assistant act for you?" in page.text


def test_staff_are_told_nothing_of_it(server: AuthServer, administrator: StaffMember) -> None:
    limit(administrator, groups=["pilot"])
    page = sign_on(server.browser(), AuthorizationRequest(), server.new_staff("owner"))
    assert "code" in page.parameters


def test_an_owner_says_whom_its_own_agents_act_for_and_not_who_is_in_a_group(
    server: AuthServer, administrator: StaffMember
) -> None:
    owner, other = staff_member(server, "owner"), staff_member(server, "owner")
    agent = {"agent_id": owner.register(groups=["pilot"])}
    assert owner.get("/admin/agent", **agent)["groups"] == ["pilot"]
    changed = owner.done(
        "PATCH", "/admin/agent", {"groups": ["staff"], "customers": ["a@example.com"]}, **agent
    )
    assert (changed["groups"], changed["customers"]) == (["staff"], ["a@example.com"])
    assert changed["history"][-1]["changes"]["groups"] == [["pilot"], ["staff"]]
    assert other.request("PATCH", "/admin/agent", {"groups": ["pilot"]}, **agent).status_code == 404
    customer = server.new_customer()
    sent = {"groups": ["staff"]}
    assert owner.request("PUT", "/admin/customer/groups", sent, sub=customer).status_code == 403
    [shown] = [one for one in administrator.get("/admin/customers")["customers"] if one["sub"] == customer]
    assert shown["groups"] == []


@pytest.mark.parametrize(
    ("groups", "status"),
    [(["Pilot"], 422), ([""], 422), (["a b"], 422), (["a" * 65], 422), ([1], 422), (["a\n"], 422),
     ([f"g{n}" for n in range(33)], 422), ("pilot", 422), (None, 422), ([], 409)],
)  # fmt: skip
def test_groups_are_refused_that_are(
    server: AuthServer, administrator: StaffMember, groups: object, status: int
) -> None:
    sub = server.new_customer()
    response = administrator.request("PUT", "/admin/customer/groups", {"groups": groups}, sub=sub)
    assert response.status_code == status, response.text
    if groups:
        agent = described(groups=groups)
        assert administrator.request("POST", "/admin/agents", agent).status_code == status


def test_groups_are_of_customers_that_there_are(server: AuthServer, administrator: StaffMember) -> None:
    for sub in ("nobody@example.com", administrator.sub):
        response = administrator.request("PUT", "/admin/customer/groups", {"groups": ["pilot"]}, sub=sub)
        assert response.status_code == 404


def test_the_command_line_groups_customers_and_limits_agents(server: AuthServer) -> None:
    customers, agents = Command(server, "customers"), Registry(server)
    customer = server.new_customer()
    assert customers("groups", customer, "--group", "staff", "--group", "pilot")["groups"] == [
        "pilot",
        "staff",
    ]
    assert "pilot, staff" in customers.run("list").stdout
    assert customers("groups", customer, "--no-group")["groups"] == []
    assert "already" in customers.refuses("groups", customer, "--no-group")
    assert "groups: " in customers.refuses("groups", customer, "--group", "Pilot")
    assert "required" in customers.refuses("groups", customer)
    shown = agents.register("--group", "pilot", keys=SigningKey.generate())
    assert (shown["customers"], shown["groups"]) == (None, ["pilot"])
    edited = agents("edit", AGENT, "--group", "pilot", "--customer", customer)
    assert (edited["customers"], edited["groups"]) == ([customer], ["pilot"])
    assert f"{customer}, the group pilot" in agents.run("show", AGENT).stdout
    edited = agents("edit", AGENT, "--customer", customer)
    assert (edited["customers"], edited["groups"]) == ([customer], None)
    assert "say one of them" in agents.refuses("edit", AGENT, "--group", "pilot", "--any-customer")
    edited = agents("edit", AGENT, "--any-customer")
    assert (edited["customers"], edited["groups"]) == (None, None)
    assert "all customers who allow it" in agents.run("show", AGENT).stdout


def test_a_grant_from_before_gives_nothing_to_an_agent_that_is_limited_since(
    server: AuthServer, administrator: StaffMember
) -> None:
    customer, request = server.new_customer(), AuthorizationRequest()
    tokens = server.sign_on(customer, allow=BALANCE)
    subject_token = tokens.token_for(AGENT)
    limit(administrator, groups=["pilot"])
    assert is_told(tokens.browser.open("/authorize", request.query))
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
