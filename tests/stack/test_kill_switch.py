"""What ends a delegation ends it everywhere at once, and nothing else.

Issue 4. How soon is measured in benchmarks/revocation.py; here it only has to be soon.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import httpx2
import pytest

from tests.stack.agent import Agent
from tests.stack.agent_registry import switch_agent, switch_customer
from tests.stack.banking_app import BankingApp, SignedOn
from tests.stack.deployment import ALEX, READ_BALANCE, SAM, Deployment
from tests.stack.doors import SOON_SECONDS, Doors, bearer
from tests.stack.secrets_seen import Token
from tests.stack.stack import Stack
from tests.stack.waiting import until


@pytest.fixture
def doors(deployment: Deployment, http: httpx2.Client) -> Doors:
    return Doors(deployment, http)


@dataclass(frozen=True)
class Delegation:
    """One sign-on, and what the agent got under it."""

    signed_on: SignedOn
    subject: Token
    token: Token


Delegate = Callable[[str], Delegation]


@pytest.fixture
def delegate(app: BankingApp, agent: Agent) -> Delegate:
    def delegated(customer: str) -> Delegation:
        signed_on = app.sign_on(customer, READ_BALANCE)
        subject = signed_on.subject_token()
        return Delegation(signed_on, subject, agent.delegation_token(subject, READ_BALANCE))

    return delegated


@pytest.fixture
def bystander(delegate: Delegate, doors: Doors) -> Iterator[Delegation]:
    """Another customer's delegation, which whatever the test does must leave alone."""
    other = delegate(SAM)
    yield other
    assert doors.serve(other.token)


def test_a_withdrawn_grant_ends_what_the_agent_has_of_this_customer(
    delegate: Delegate, bystander: Delegation, doors: Doors, app: BankingApp, agent: Agent
) -> None:
    delegation = delegate(ALEX)
    assert doors.serve(delegation.token)
    own = bearer(delegation.signed_on.issuer_token())
    [grant] = app.http.get(app.deployment.grants_endpoint, headers=own).json()["grants"]
    withdrawn = app.http.delete(f"{app.deployment.grants_endpoint}/{grant['grant_id']}", headers=own)
    assert withdrawn.status_code == 204
    doors.expect_ended(delegation.token)
    assert agent.exchange(delegation.subject, READ_BALANCE).json()["error"] == "invalid_request"
    again = delegate(ALEX)
    assert doors.serve(again.token), "what is allowed anew counts at once"
    assert doors.serve(bystander.token)


def test_signing_out_ends_what_came_of_this_sign_on(
    delegate: Delegate, bystander: Delegation, doors: Doors, app: BankingApp
) -> None:
    elsewhere = delegate(ALEX)
    delegation = delegate(ALEX)
    assert doors.serve(delegation.token)
    hint = {"id_token_hint": delegation.signed_on.id_token}
    assert app.http.get(app.deployment.end_session_endpoint, params=hint).status_code == 200
    doors.expect_ended(delegation.token)
    assert delegation.signed_on.refresh(app.deployment.agent_id).status_code == 400
    until(partial(ended_app_token, doors, delegation.signed_on), "the app's own token ends too", SOON_SECONDS)
    assert doors.serve(elsewhere.token), "the same customer's other sign-on goes on"
    assert doors.serve(bystander.token)


def ended_app_token(doors: Doors, signed_on: SignedOn) -> bool:
    answer = doors.http.get(f"{doors.deployment.account_api}/accounts", headers=bearer(signed_on.app_token))
    return answer.status_code == 401


def test_a_revoked_subject_token_ends_what_was_exchanged_for_it(
    delegate: Delegate, bystander: Delegation, doors: Doors, app: BankingApp, agent: Agent
) -> None:
    delegation = delegate(ALEX)
    another = delegation.signed_on.subject_token()
    kept = agent.delegation_token(another, READ_BALANCE)
    assert doors.serve(delegation.token)
    revoked = app.http.post(
        app.deployment.revocation_endpoint, data={"token": delegation.subject, **app.authentication()}
    )
    assert revoked.status_code == 200
    doors.expect_ended(delegation.token)
    assert doors.serve(kept), "what was exchanged for another subject token goes on"
    assert doors.serve(bystander.token)


def test_a_disabled_customer_has_nothing_left_and_once_enabled_starts_anew(
    delegate: Delegate, bystander: Delegation, doors: Doors, app: BankingApp, stack: Stack
) -> None:
    delegation = delegate(ALEX)
    assert doors.serve(delegation.token)
    switch_customer(stack, "disable", ALEX)
    try:
        doors.expect_ended(delegation.token)
        until(partial(ended_app_token, doors, delegation.signed_on), "the app's own token ends", SOON_SECONDS)
        assert delegation.signed_on.refresh(app.deployment.agent_id).status_code == 400
        assert doors.serve(bystander.token)
    finally:
        switch_customer(stack, "enable", ALEX)
    doors.expect_ended(delegation.token)
    assert doors.serve(delegate(ALEX).token), "a new sign-on counts at once"


def test_a_suspended_agent_has_nothing_and_once_resumed_starts_anew(
    delegate: Delegate, doors: Doors, stack: Stack, agent: Agent
) -> None:
    delegations = [delegate(ALEX), delegate(SAM)]
    assert all(doors.serve(one.token) for one in delegations)
    switch_agent(stack, "suspend")
    try:
        doors.expect_ended(*(one.token for one in delegations))
        customers_own = delegations[0].signed_on.app_token
        accounts = f"{doors.deployment.account_api}/accounts"
        assert doors.http.get(accounts, headers=bearer(customers_own)).status_code == 200
    finally:
        switch_agent(stack, "resume")
    doors.expect_ended(*(one.token for one in delegations))
    anew = agent.delegation_token(delegations[0].subject, READ_BALANCE)
    assert doors.serve(anew), "what is issued after the resumption counts at once"


def test_without_news_for_long_every_token_is_refused_and_all_recovers_by_itself(
    delegate: Delegate, doors: Doors, stoppable_stack: Stack, deployment: Deployment
) -> None:
    delegation = delegate(ALEX)
    stoppable_stack.kill("auth_server")
    try:
        until(partial(without_news, doors, delegation.token), "both refuse for want of news", 30.0)
        for service in (deployment.gateway, deployment.account_api):
            # The gateway may still pass the API's refusal on, and refuse by itself a moment later.
            until(partial(says_that_it_hears_nothing, doors, service), "it says so in its readiness", 30.0)
    finally:
        stoppable_stack.start("auth_server")
    until(partial(doors.serve, delegation.token), "both serve again", 30.0)


def says_that_it_hears_nothing(doors: Doors, service: str) -> bool:
    ready = doors.http.get(f"{service}/readyz")
    assert ready.status_code == 503
    return "nothing has been heard of ended tokens" in ready.json()["lacking"]["security events"]


def without_news(doors: Doors, token: Token) -> bool:
    answers = doors.answers(token)
    assert [answer.status_code for answer in answers] == [503, 503]
    return all("The news of ended tokens" in answer.json()["detail"] for answer in answers)
