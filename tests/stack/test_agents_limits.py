"""What the agent registry limits holds everywhere: registry, exchange, gateway, account API."""

import secrets
from collections.abc import Iterator

import httpx2
import pytest

from tests.stack.agent import Agent
from tests.stack.agent_registry import edit_agent
from tests.stack.answers import json_of
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import READ_BALANCE, SAM, TRANSFER
from tests.stack.secrets_seen import Secret
from tests.stack.stack import Stack


@pytest.fixture
def limited_stack(stack: Stack) -> Iterator[Stack]:
    """The stack, whose agent may transfer two euros at a time."""
    edit_agent(stack, "--max-transfer-minor", "200")
    yield stack
    edit_agent(stack, "--any-amount")


def test_a_transfer_over_the_agents_limit_is_refused_behind_the_gateway_and_one_within_it_is_booked(
    limited_stack: Stack, app: BankingApp, agent: Agent, http: httpx2.Client
) -> None:
    gateway = limited_stack.deployment.gateway
    subject = app.sign_on(SAM, READ_BALANCE, TRANSFER).subject_token()
    reading = {"Authorization": Secret(f"Bearer {agent.delegation_token(subject, READ_BALANCE)}")}
    token = agent.delegation_token(subject, TRANSFER)

    def balances() -> dict[str, int]:
        accounts = json_of(http.get(f"{gateway}/accounts", headers=reading), 200)["accounts"]
        return {each["account_id"]: each["balance"]["amount_minor"] for each in accounts}

    before = balances()
    paying, to = list(before)[:2]

    def order(amount_minor: int) -> httpx2.Response:
        amount = {"amount_minor": amount_minor, "currency": "EUR"}
        headers = {"Authorization": Secret(f"Bearer {token}"), "Idempotency-Key": secrets.token_hex(8)}
        body = {"from_account": paying, "to": to, "amount": amount}
        return http.post(f"{gateway}/transfers", json=body, headers=headers)

    refused = order(201)
    problem = json_of(refused, 403)
    assert problem["type"].endswith("/transfer-limit-exceeded")
    assert problem["limit"] == {"amount_minor": 200, "currency": "EUR"}
    assert refused.headers["Decision"].startswith("permit"), "the gateway's policy lets it; the bank does not"
    assert balances() == before
    json_of(order(200), 201)
    assert balances()[paying] == before[paying] - 200
