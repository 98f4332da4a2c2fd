"""Whom an agent may act for: named customers, groups of customers, or all (issue 4). RFC 8693 §2.2.2."""

import json
from typing import Any

import pytest

from auth_server.__main__ import main
from tests.auth_server.administration import BECAUSE, StaffMember, staff_member
from tests.auth_server.browser import Page
from tests.auth_server.client import refusal
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
    assert "act for you?" in browser.open("/authorize", AuthorizationRequest().query).text


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


def test_a_groups_name_that_is_malformed_and_too_many_groups_are_refused(
    server: AuthServer, administrator: StaffMember
) -> None:
    sub, too_many = server.new_customer(), [f"g{n}" for n in range(33)]
    for groups in (["Pilot"], [""], ["a b"], ["a" * 65], [1], ["a\n"], too_many, "pilot"):
        sent = {"groups": groups}
        assert administrator.request("PUT", "/admin/customer/groups", sent, sub=sub).status_code == 422
        assert administrator.request("PATCH", "/admin/agent", sent, agent_id=AGENT).status_code == 422
    assert administrator.request("PATCH", "/admin/agent", {"groups": []}, agent_id=AGENT).status_code == 422
    nothing_changes = administrator.request("PUT", "/admin/customer/groups", {"groups": []}, sub=sub)
    assert nothing_changes.status_code == 409


def test_groups_are_of_customers_that_there_are(server: AuthServer, administrator: StaffMember) -> None:
    for sub in ("nobody@example.com", administrator.sub):
        response = administrator.request("PUT", "/admin/customer/groups", {"groups": ["pilot"]}, sub=sub)
        assert response.status_code == 404


class CommandLine:
    """The command line in this process, on one server's database."""

    def __init__(
        self, server: AuthServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DATA_DIR", str(server.settings.data_dir))
        monkeypatch.setenv("DATABASE_URL", server.settings.database_url)
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Any:
        """Run a command that must succeed; returns the JSON that it prints."""
        return json.loads(self.says(*arguments, "--json"))

    def says(self, *arguments: str, status: int = 0) -> str:
        """Run a command that ends with this status; returns what it says."""
        self._capsys.readouterr()
        assert main(arguments) == status
        printed = self._capsys.readouterr()
        return printed.err if status else printed.out


def test_the_command_line_groups_customers_and_limits_agents(
    server: AuthServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, customer = CommandLine(server, monkeypatch, capsys), server.new_customer()
    groups = ("customers", "groups", customer)
    assert run(*groups, "--group", "staff", "--group", "pilot")["groups"] == ["pilot", "staff"]
    assert "pilot, staff" in run.says("customers", "list")
    assert run(*groups, "--no-group")["groups"] == []
    assert "already" in run.says(*groups, "--no-group", status=2)
    assert "groups: " in run.says(*groups, "--group", "Pilot", status=2)
    edit = ("agents", "edit", AGENT)
    edited = run(*edit, "--group", "pilot", "--customer", customer)
    assert (edited["customers"], edited["groups"]) == ([customer], ["pilot"])
    assert f"{customer}, the group pilot" in run.says("agents", "show", AGENT)
    edited = run(*edit, "--customer", customer)
    assert (edited["customers"], edited["groups"]) == ([customer], None)
    assert "say one of them" in run.says(*edit, "--group", "pilot", "--any-customer", status=2)
    edited = run(*edit, "--any-customer")
    assert (edited["customers"], edited["groups"]) == (None, None)
    assert "all customers who allow it" in run.says("agents", "show", AGENT)


def test_a_grant_from_before_gives_nothing_to_an_agent_that_is_limited_since(
    server: AuthServer, administrator: StaffMember
) -> None:
    customer, request = server.new_customer(), AuthorizationRequest()
    tokens = server.sign_on(customer, allow=BALANCE)
    subject_token = tokens.token_for(AGENT)
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}

    def is_for_you() -> bool:
        [grant] = server.http.get("/grants", headers=own).json()["grants"]
        return bool(grant["agent"]["is_for_you"])

    assert is_for_you()
    limit(administrator, groups=["pilot"])
    assert not is_for_you()
    assert is_told(tokens.browser.open("/authorize", request.query))
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
