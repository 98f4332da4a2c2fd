"""While any one service is down the others say so clearly, and all recovers when it is back.

Issue 2, point 7. Nothing but the one service is stopped and started.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx2
import pytest
from playwright.sync_api import expect

from deploy.local_settings import SERVICES
from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, MARIA, READ_BALANCE, READ_TRANSACTIONS, Deployment
from tests.stack.doors import bearer
from tests.stack.secrets_seen import Token
from tests.stack.stack import Stack
from tests.stack.visitor import Visitor
from tests.stack.waiting import until

ANSWERS_WITHIN_SECONDS = 15.0
NOTICED_WITHIN_SECONDS = 30.0
RECOVERS_WITHIN_SECONDS = 60.0

Calls = dict[str, Callable[[], httpx2.Response]]

HEALTHY: Final = {
    **{f"{service}: ready": 200 for service in SERVICES},
    "auth_server: keys": 200,
    "auth_server: sign-on page": 200,
    "auth_server: refresh": 200,
    "auth_server: exchange": 200,
    "auth_server: grants": 200,
    "gateway: accounts": 200,
    "gateway: where tokens come from": 200,
    "account_api: accounts": 200,
    "chatbot: question": 200,
    "banking_app: page": 200,
    "banking_app: sign-on": 303,
    "banking_app: callback of nobody": 400,
    "banking_app: keys": 200,
}
"""What each call is answered when all is well: the service, what is asked of it, the status."""


@dataclass(frozen=True)
class Outage:
    """What is different while a service is down.

    `answers` are calls to others with another status than usual; `hints` are pages to what their hint names,
    the assistant's among them; `states` are those of the six steps when the assistant is asked, and `said` is
    part of its answer.
    """

    answers: dict[str, int]
    hints: dict[str, str]
    states: list[str]
    said: str


OUTAGES: Final = {
    "auth_server": Outage(
        {
            # Without news of ended tokens nothing is served any more.
            "account_api: accounts": 503,
            "account_api: ready": 503,
            "banking_app: ready": 503,
            "chatbot: ready": 503,
            "gateway: accounts": 503,
            "gateway: ready": 503,
        },
        {
            "/": "The account API answered 503",
            "/permissions": "The authorization server did not answer",
            "/assistant": "The authorization server did not answer",
        },
        ["permit", "permit", "failed", "waiting", "waiting", "waiting"],
        "authorization server gives no permission at the moment",
    ),
    "gateway": Outage(
        {"chatbot: ready": 503, "banking_app: ready": 503},
        {"/assistant": "The gateway did not answer"},
        ["permit", "permit", "done", "permit", "failed", "waiting"],
        "the bank does not answer. Try again later",
    ),
    "chatbot": Outage(
        {"banking_app: ready": 503},
        {"/assistant": "The chatbot did not answer"},
        ["permit", "deny", "waiting", "waiting", "waiting", "waiting"],
        "The assistant cannot be reached",
    ),
    "account_api": Outage(
        {"gateway: ready": 503, "banking_app: ready": 503, "gateway: accounts": 502},
        {
            "/": "The account API did not answer",
            "/assistant": "The account API did not serve the request",
        },
        ["permit", "permit", "done", "permit", "permit", "failed"],
        "the bank does not answer. Try again later",
    ),
}
"""The banking app's own outage shows no page, and has a test of its own."""


@pytest.fixture
def calls(app: BankingApp, agent: Agent, deployment: Deployment, http: httpx2.Client) -> Calls:
    """Calls of every service, by name; tokens are had while all is well."""
    signed_on = app.sign_on(MARIA, READ_BALANCE, READ_TRANSACTIONS)
    subject, own = signed_on.subject_token(), signed_on.issuer_token()
    delegated = agent.delegation_token(subject, READ_BALANCE)
    base = {service: getattr(deployment, service, deployment.issuer) for service in SERVICES}
    question = {"message": "Show my last three transactions"}

    def get(url: str, token: Token | None = None) -> Callable[[], httpx2.Response]:
        return lambda: http.get(url, headers=bearer(token) if token else {})

    return {
        **{f"{service}: ready": get(f"{base[service]}/readyz") for service in SERVICES},
        "auth_server: keys": get(deployment.jwks_uri),
        "auth_server: sign-on page": get(app.authorization_url("v" * 43, nonce="n", prompt="login")),
        "auth_server: refresh": lambda: signed_on.refresh(deployment.agent_id),
        "auth_server: exchange": lambda: agent.exchange(subject, READ_BALANCE),
        "auth_server: grants": get(deployment.grants_endpoint, own),
        "gateway: accounts": get(f"{deployment.gateway}/accounts", delegated),
        "gateway: where tokens come from": get(f"{deployment.gateway}/.well-known/oauth-protected-resource"),
        "account_api: accounts": get(f"{deployment.account_api}/accounts", signed_on.app_token),
        "chatbot: question": lambda: http.post(
            f"{deployment.chatbot}/chat", headers=bearer(subject), json=question
        ),
        "banking_app: page": get(deployment.banking_app),
        "banking_app: sign-on": get(f"{deployment.banking_app}/login"),
        "banking_app: callback of nobody": get(f"{deployment.banking_app}/callback?code=c&state=s"),
        "banking_app: keys": get(f"{deployment.banking_app}/jwks.json"),
    }


def check_answers(calls: Calls, expected: dict[str, int], stopped: str = "") -> bool:
    """Fail unless each call to a running service is answered as expected, soon, and in words."""
    answers = {name: call() for name, call in calls.items() if name.partition(":")[0] != stopped}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        name: status for name, status in expected.items() if name in answers
    }
    for name, answer in answers.items():
        assert answer.elapsed.total_seconds() < ANSWERS_WITHIN_SECONDS, name
        assert "Traceback" not in answer.text, name
        if name.endswith(": ready") and answer.status_code == 503:
            assert all(len(reason) > 20 for reason in answer.json()["lacking"].values()), name
        elif answer.status_code >= 500:
            assert answer.headers["Content-Type"] == "application/problem+json", name
            assert len(answer.json()["detail"]) > 20, name
    return True


def check_all_is_well(calls: Calls) -> None:
    until(lambda: check_answers(calls, HEALTHY), "all is well again", RECOVERS_WITHIN_SECONDS)


def check_pages(visitor: Visitor, stopped: str, outage: Outage) -> None:
    """Open every page and ask the assistant: what fails is told to the customer, with a hint."""
    for path in ("/", "/permissions"):
        visitor.open(path)
        if path in outage.hints:
            trouble = visitor.trouble()
            assert "Please try again in a moment" in trouble.for_the_customer
            assert outage.hints[path] in trouble.for_the_trainer
        else:
            content = ".transactions" if path == "/" else ".may"
            expect(visitor.page.locator(content).first).to_be_visible()
        visitor.expect_no_mistake()
    answer = visitor.ask("Show my last five transactions")
    assert answer.states == outage.states
    hint = outage.hints["/assistant"]
    if stopped == "chatbot":
        trouble = visitor.trouble()
        assert outage.said in trouble.for_the_customer
        assert hint in trouble.for_the_trainer
    else:
        assert outage.said in answer.text
        [told] = answer.hints
        assert hint in told
        assert f"docker compose start {stopped}" in told
    visitor.expect_no_mistake()


@pytest.mark.parametrize("stopped", OUTAGES)
def test_every_page_and_endpoint_answers_clearly_while_a_service_is_down_and_all_recovers(
    stopped: str, stoppable_stack: Stack, calls: Calls, visitor: Visitor
) -> None:
    check_all_is_well(calls)
    visitor.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    visitor.ask("What is my balance?")
    stoppable_stack.stop(stopped)
    try:
        outage = OUTAGES[stopped]
        until(
            lambda: check_answers(calls, HEALTHY | outage.answers, stopped),
            f"all others have noticed that {stopped} is down",
            NOTICED_WITHIN_SECONDS,
        )
        check_pages(visitor, stopped, outage)
        visitor.screenshot(f"without-{stopped}")
    finally:
        stoppable_stack.start(stopped)
    check_all_is_well(calls)
    recovered = visitor.ask("Show my last five transactions")
    # Where the exchange was made before the outage was met, its token is still good.
    asked = "spared" if outage.states[3] == "permit" else "done"
    assert (recovered.states[2:], recovered.hints) == ([asked, "permit", "permit", "permit"], [])
    visitor.open("/")
    expect(visitor.page.locator(".transactions").first).to_be_visible()
    visitor.sign_out()


def test_without_the_banking_app_the_others_work_on_and_its_open_page_recovers_by_itself(
    stoppable_stack: Stack, calls: Calls, visitor: Visitor
) -> None:
    check_all_is_well(calls)
    visitor.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    visitor.ask("What is my balance?")
    stoppable_stack.stop("banking_app")
    try:
        check_answers(calls, HEALTHY, "banking_app")
        visitor.screenshot("without-banking_app")
    finally:
        stoppable_stack.start("banking_app")
    check_all_is_well(calls)
    assert "waiting" not in visitor.ask("Show my last five transactions").states
    visitor.sign_out()
