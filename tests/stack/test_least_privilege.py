"""Each token opens what it was made for, and nothing else.

Issue 2, point 4. What the networks of Compose add to it is in `test_containers.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httpx2
import pytest

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import MARIA, READ_BALANCE, READ_TRANSACTIONS, TRANSFER, Deployment
from tests.stack.doors import bearer
from tests.stack.secrets_seen import Token

ACCOUNT = "4002-01"
OTHERS_ACCOUNT = "4001-01"


@dataclass(frozen=True)
class Tokens:
    """One of each kind, of one sign-on with every permission."""

    app: Token
    id: Token
    subject: Token
    issuer: Token
    actor: Token
    read_balance: Token
    read_transactions: Token
    transfer: Token


@pytest.fixture(scope="module")
def tokens(app: BankingApp, agent: Agent) -> Tokens:
    signed_on = app.sign_on(MARIA, READ_BALANCE, READ_TRANSACTIONS, TRANSFER)
    subject = signed_on.subject_token()
    return Tokens(
        app=signed_on.app_token,
        id=signed_on.id_token,
        subject=subject,
        issuer=signed_on.issuer_token(),
        actor=agent.actor_token(),
        read_balance=agent.delegation_token(subject, READ_BALANCE),
        read_transactions=agent.delegation_token(subject, READ_TRANSACTIONS),
        transfer=agent.delegation_token(subject, TRANSFER),
    )


Door = Callable[[str, str, str], httpx2.Response]


@pytest.fixture(params=["gateway", "account_api"])
def door(request: pytest.FixtureRequest, deployment: Deployment, http: httpx2.Client) -> Door:
    """Both that must verify for themselves: called as method, path, token."""
    base = getattr(deployment, request.param)

    def call(method: str, path: str, token: str) -> httpx2.Response:
        body = {"from_account": ACCOUNT, "to": "4002-02", "amount": {"amount_minor": 1, "currency": "EUR"}}
        order = {"json": body, "headers": bearer(token) | {"Idempotency-Key": "never-booked"}}
        options = order if method == "POST" else {"headers": bearer(token)}
        return http.request(method, f"{base}{path}", **options)

    return call


OPERATIONS = {
    "read_balance": [("GET", "/accounts"), ("GET", f"/accounts/{ACCOUNT}/balance")],
    "read_transactions": [("GET", f"/accounts/{ACCOUNT}/transactions")],
    "transfer": [("POST", "/transfers")],
}


@pytest.mark.parametrize("held", OPERATIONS)
def test_a_delegation_token_suffices_for_the_operations_of_its_scope(
    held: str, tokens: Tokens, door: Door
) -> None:
    for method, path in OPERATIONS[held]:
        if method == "GET":  # what a transfer does is shown where money may move: test_transfers.py
            assert door(method, path, getattr(tokens, held)).status_code == 200


@pytest.mark.parametrize(
    ("held", "wanted"),
    [(held, wanted) for held in OPERATIONS for wanted in OPERATIONS if held != wanted],
)
def test_a_delegation_token_is_refused_for_every_other_operation(
    held: str, wanted: str, tokens: Tokens, door: Door
) -> None:
    for method, path in OPERATIONS[wanted]:
        refused = door(method, path, getattr(tokens, held))
        assert refused.status_code == 403
        challenge = refused.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert f'scope="account:{wanted}"' in challenge


@pytest.mark.parametrize("kind", ["subject", "issuer", "actor", "id"])
def test_a_token_that_was_not_made_for_the_resource_is_refused_there(
    kind: str, tokens: Tokens, door: Door
) -> None:
    refused = door("GET", "/accounts", getattr(tokens, kind))
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_the_app_token_is_refused_by_the_gateway_because_it_names_no_actor(
    tokens: Tokens, deployment: Deployment, http: httpx2.Client
) -> None:
    refused = http.get(f"{deployment.gateway}/accounts", headers=bearer(tokens.app))
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("/actor-required")
    assert refused.headers["Decision"].startswith("deny")


def test_the_app_token_reads_at_the_account_api_and_moves_nothing(
    tokens: Tokens, deployment: Deployment, http: httpx2.Client
) -> None:
    read = http.get(f"{deployment.account_api}/accounts", headers=bearer(tokens.app))
    assert read.status_code == 200
    order = {"from_account": ACCOUNT, "to": "4002-02", "amount": {"amount_minor": 1, "currency": "EUR"}}
    refused = http.post(
        f"{deployment.account_api}/transfers",
        json=order,
        headers=bearer(tokens.app) | {"Idempotency-Key": "never-booked"},
    )
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]


def test_another_customer_s_account_and_one_that_does_not_exist_look_the_same(
    tokens: Tokens, door: Door
) -> None:
    answers = [
        door("GET", f"/accounts/{account}/balance", tokens.read_balance)
        for account in (OTHERS_ACCOUNT, "9999-99")
    ]
    bodies = [{**answer.json(), "decision_id": None} for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("kind", ["read_balance", "subject", "actor", "app", "id"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "userinfo_endpoint"),
        ("GET", "grants_endpoint"),
        ("DELETE", "grants_endpoint"),
        ("GET", "records_endpoint"),
    ],
)
def test_the_authorization_server_s_own_interfaces_take_only_the_token_made_for_them(
    kind: str, method: str, path: str, tokens: Tokens, deployment: Deployment, http: httpx2.Client
) -> None:
    suffix = {"DELETE": "/some-grant"}.get(method, "")
    query = {"trace_id": "0" * 31 + "1"} if path == "records_endpoint" else {}
    url = f"{getattr(deployment, path)}{suffix}"
    refused = http.request(method, url, params=query, headers=bearer(getattr(tokens, kind)))
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("endpoint", ["introspection_endpoint", "revocation_endpoint", "token_endpoint"])
def test_a_delegation_token_is_no_client_authentication(
    endpoint: str, tokens: Tokens, deployment: Deployment, http: httpx2.Client
) -> None:
    form = {"token": tokens.subject, "grant_type": "client_credentials"}
    refused = http.post(getattr(deployment, endpoint), data=form, headers=bearer(tokens.read_balance))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_a_delegation_token_does_not_read_the_account_api_s_records(
    tokens: Tokens, deployment: Deployment, http: httpx2.Client
) -> None:
    url = f"{deployment.account_api}/records"
    refused = http.get(url, params={"trace_id": "0" * 31 + "1"}, headers=bearer(tokens.read_balance))
    assert refused.status_code == 403


@pytest.mark.parametrize("kind", ["read_balance", "app", "issuer", "actor", "id"])
def test_the_chatbot_takes_only_the_subject_token(
    kind: str, tokens: Tokens, deployment: Deployment, http: httpx2.Client
) -> None:
    refused = http.post(
        f"{deployment.chatbot}/chat", json={"message": "hello"}, headers=bearer(getattr(tokens, kind))
    )
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_a_delegation_token_cannot_be_exchanged_again_for_more(tokens: Tokens, agent: Agent) -> None:
    refused = agent.exchange(tokens.read_balance, TRANSFER)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_what_the_customer_did_not_tick_cannot_be_had(app: BankingApp, agent: Agent) -> None:
    subject = app.sign_on(MARIA, READ_BALANCE).subject_token()
    refused = agent.exchange(subject, TRANSFER)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_a_withdrawn_permission_ends_subject_tokens_and_exchanges_under_one_that_is_still_good(
    app: BankingApp, agent: Agent, http: httpx2.Client, deployment: Deployment
) -> None:
    signed_on = app.sign_on(MARIA, READ_BALANCE)
    subject = signed_on.subject_token()
    assert agent.exchange(subject, READ_BALANCE).status_code == 200
    own = bearer(signed_on.issuer_token())
    [grant] = http.get(deployment.grants_endpoint, headers=own).json()["grants"]
    assert http.delete(f"{deployment.grants_endpoint}/{grant['grant_id']}", headers=own).status_code == 204
    refused = agent.exchange(subject, READ_BALANCE)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    refused = signed_on.refresh(deployment.agent_id)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
