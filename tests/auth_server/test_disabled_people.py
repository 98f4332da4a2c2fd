"""Whoever is disabled cannot sign on, and all that came of an earlier sign-on has ended, at once."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from auth_server.tables import IssuedToken, RefreshToken, SignOnSession
from tests.auth_server.administration import BECAUSE, StaffMember, staff_member
from tests.auth_server.browser import Page
from tests.auth_server.client import refusal
from tests.auth_server.registry import Command
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    CALLBACK,
    ISSUER,
    AuthorizationRequest,
    AuthServer,
    sign_on,
)


@pytest.fixture(scope="module")
def administrator(server: AuthServer) -> StaffMember:
    return staff_member(server, "administrator")


def disable(administrator: StaffMember, customer: str) -> None:
    administrator.done("POST", "/admin/customer/disable", BECAUSE, sub=customer)


def enable(administrator: StaffMember, customer: str) -> None:
    administrator.done("POST", "/admin/customer/enable", BECAUSE, sub=customer)


def message(page: Page) -> tuple[int, str]:
    """Return the status of the sign-on page, and what it tells the person."""
    return page.status, page.text.partition('role="alert">')[2].partition("<")[0]


def test_all_that_a_disabled_customer_had_has_ended(
    server: AuthServer, administrator: StaffMember, customer: str
) -> None:
    tokens = server.sign_on(customer)
    request = AuthorizationRequest()
    unused = tokens.browser.open("/authorize", request.query).parameters["code"]
    subject_token, own_token = tokens.token_for(AGENT), tokens.token_for(ISSUER)
    delegation_token = server.exchange(subject_token).json()["access_token"]
    actor_token = server.actor_token()
    disable(administrator, customer)
    for token, client in (
        (subject_token, server.agent),
        (own_token, server.app),
        (delegation_token, server.agent),
    ):
        assert client.introspect(token) == {"active": False}
    assert refusal(server.exchange(subject_token, actor_token)) == (400, "invalid_request")
    assert refusal(tokens.refresh(resource=ISSUER)) == (400, "invalid_grant")
    assert refusal(server.exchange_code(unused, request)) == (400, "invalid_grant")
    assert StaffMember(server, customer, own_token).request("GET", "/userinfo").status_code == 401
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="none").query)
    assert page.parameters["error"] == "login_required"


def test_nobody_else_notices(server: AuthServer, administrator: StaffMember, customer: str) -> None:
    other = server.sign_on(server.new_customer())
    subject_token, actor_token = other.token_for(AGENT), server.actor_token()
    disable(administrator, customer)
    assert server.exchange(subject_token, actor_token).status_code == 200
    assert other.refresh(resource=ACCOUNT_API).status_code == 200
    assert server.agent.introspect(actor_token)["active"]


def test_signing_on_disabled_looks_like_a_wrong_password(
    server: AuthServer, administrator: StaffMember, customer: str
) -> None:
    disable(administrator, customer)
    right = sign_on(server.browser(), AuthorizationRequest(), customer)
    wrong = sign_on(server.browser(), AuthorizationRequest(), server.new_customer(), "not the password")
    assert message(right) == message(wrong)
    assert right.status == 403
    assert server.records(operation="sign_on", sub=customer)[-1]["decision"] == "deny"


def test_the_password_of_a_disabled_customer_is_still_compared(
    server: AuthServer, administrator: StaffMember, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that both answers take their time, which a clock would measure worse than this does."""
    compared: list[bool] = []
    matches = server.context.passwords.matches

    def watched(password_hash: str | None, password: str) -> bool:
        compared.append(password_hash is not None)
        return matches(password_hash, password)

    disable(administrator, customer)
    monkeypatch.setattr(server.context.passwords, "matches", watched)
    sign_on(server.browser(), AuthorizationRequest(), customer)
    assert compared == [True]


def test_an_enabled_customer_signs_on_anew_and_nothing_that_had_ended_comes_back(
    server: AuthServer, administrator: StaffMember, customer: str
) -> None:
    tokens = server.sign_on(customer)
    subject_token = tokens.token_for(AGENT)
    disable(administrator, customer)
    enable(administrator, customer)
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
    assert refusal(tokens.refresh(resource=ISSUER)) == (400, "invalid_grant")
    page = sign_on(server.browser(), AuthorizationRequest(), customer)
    assert page.leads_to == CALLBACK  # what the customer allows the agent has stayed
    again = server.sign_on(customer)
    assert server.exchange(again.token_for(AGENT)).status_code == 200


def test_a_disabled_customer_is_listed_as_such_and_the_records_say_who_did_it(
    server: AuthServer, administrator: StaffMember, customer: str
) -> None:
    disable(administrator, customer)
    assert administrator.request("POST", "/admin/customer/disable", BECAUSE, sub=customer).status_code == 409
    [record] = server.records(operation="customer.disable", resource=customer, decision="permit")
    assert (record["sub"], record["client_id"]) == (administrator.sub, "banking-app")
    assert record["reason"] == f"{administrator.sub}: the test"
    enable(administrator, customer)
    assert administrator.request("POST", "/admin/customer/enable", BECAUSE, sub=customer).status_code == 409


def test_disabling_staff_ends_what_they_can_do(own_server_on_each: AuthServer) -> None:
    server = own_server_on_each
    member = staff_member(server, "administrator")
    command = Command(server, "staff")
    command("disable", member.sub, "--reason", "left the bank")
    assert member.request("GET", "/admin/agents").status_code == 401
    assert sign_on(server.browser(), AuthorizationRequest(), member.sub).status == 403
    command("enable", member.sub)
    assert member.request("GET", "/admin/agents").status_code == 401
    assert staff_member(server, "auditor").request("GET", "/admin/agents").status_code == 200
    assert sign_on(server.browser(), AuthorizationRequest(), member.sub).leads_to == CALLBACK


def test_whatever_is_under_way_while_a_customer_is_disabled_has_ended_when_it_is_done(
    server: AuthServer, administrator: StaffMember
) -> None:
    """Sign-ons, refreshes and exchanges race with the disabling; none leaves something that lives."""
    for _ in range(5):
        customer = server.new_customer()
        tokens = [server.sign_on(customer) for _ in range(2)]
        subject_token, actor_token = tokens[0].token_for(AGENT), server.actor_token()
        with ThreadPoolExecutor(8) as pool:
            racing: list[Future[Any]] = [
                *(pool.submit(one.refresh, resource=ACCOUNT_API) for one in tokens),
                *(pool.submit(server.exchange, subject_token, actor_token, scope=BALANCE) for _ in range(2)),
                *(pool.submit(sign_on, server.browser(), AuthorizationRequest(), customer) for _ in range(2)),
                pool.submit(disable, administrator, customer),
            ]
        for done in racing:
            done.result()
        for table in (RefreshToken, IssuedToken):
            alive = select(func.count()).where(table.sub == customer, table.revoked_at.is_(None))
            assert server.rows(alive) == [(0,)], table
        assert server.rows(select(func.count()).where(SignOnSession.sub == customer)) == [(0,)]
