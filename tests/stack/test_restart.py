"""What a customer and a client hold is still good after every service was ended and started again.

On Compose by `docker compose down` and `up`: nothing of a container is left but its volume.
"""

import secrets

import httpx2
from playwright.sync_api import expect

from tests.stack.agent import Agent
from tests.stack.answers import json_of
from tests.stack.banking_app import BankingApp, authorization_response
from tests.stack.deployment import ALEX, READ_BALANCE, SAM, TRANSFER, Deployment
from tests.stack.doors import bearer
from tests.stack.stack import Stack
from tests.stack.visitor import Visitor


def kept_state(
    deployment: Deployment, http: httpx2.Client, app_token: str, own_token: str
) -> dict[str, object]:
    """Return what the services tell of what they keep."""

    def get(url: str, token: str = "") -> object:
        return json_of(http.get(url, headers=bearer(token) if token else {}), 200)

    return {
        "accounts": get(f"{deployment.account_api}/accounts", app_token),
        "transactions": get(f"{deployment.account_api}/accounts/4003-01/transactions?limit=100", app_token),
        "grants": get(deployment.grants_endpoint, own_token),
        "issuer's keys": get(deployment.jwks_uri),
        "app's keys": get(f"{deployment.banking_app}/jwks.json"),
        "agent's keys": get(f"{deployment.chatbot}/jwks.json"),
    }


def pay(deployment: Deployment, http: httpx2.Client, token: str, key: str) -> object:
    """Move one cent between Sam's accounts, or only be told again that it was; return the receipt."""
    order = {
        "from_account": "4003-01",
        "to": "4003-02",
        "amount": {"amount_minor": 1, "currency": "EUR"},
        "memo": key,
    }
    headers = bearer(token) | {"Idempotency-Key": key}
    return json_of(http.post(f"{deployment.gateway}/transfers", json=order, headers=headers), 201)


def test_sessions_permissions_tokens_keys_accounts_and_conversations_survive_a_restart(
    stoppable_stack: Stack, app: BankingApp, agent: Agent, http: httpx2.Client, visitor: Visitor
) -> None:
    deployment = stoppable_stack.deployment
    visitor.sign_on(ALEX, READ_BALANCE)
    said = visitor.ask("What is my balance?").text
    answers = visitor.answers().count()
    with httpx2.Client() as browser:
        signed_on = app.sign_on_with(browser, SAM, READ_BALANCE, TRANSFER)
        subject, own = signed_on.subject_token(), signed_on.issuer_token()
        delegated = agent.delegation_token(subject, f"{READ_BALANCE} {TRANSFER}")
        key = f"e2e-{secrets.token_hex(4)}"
        receipt = pay(deployment, http, delegated, key)
        before = kept_state(deployment, http, signed_on.app_token, own)
        assert key in str(before["transactions"])

        stoppable_stack.restart()

        assert pay(deployment, http, delegated, key) == receipt
        assert kept_state(deployment, http, signed_on.app_token, own) == before
        verifier = secrets.token_urlsafe(32)
        url = app.authorization_url(verifier, nonce=secrets.token_urlsafe(16), prompt="none")
        again = app.redeem(authorization_response(browser.get(url)), verifier)
        assert again.id_token.claims["sid"] == signed_on.id_token.claims["sid"]
        assert signed_on.refresh(deployment.agent_id).status_code == 200
        assert agent.exchange(subject, READ_BALANCE).status_code == 200

    visitor.page.reload()
    expect(visitor.answers()).to_have_count(answers)
    expect(visitor.answers().last).to_contain_text(said)
    assert "waiting" not in visitor.ask("And my savings?").states
    visitor.sign_out()
