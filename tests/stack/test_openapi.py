"""schemathesis finds no 500, and no answer that the service does not document.

Issue 2, point 8. The same requests each time; the account API is called past the gateway, which only
the tests' tunnel and a process of this machine can do.
"""

from pathlib import Path

from tests.schemathesis_run import schemathesis
from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import MARIA, READ_BALANCE, READ_TRANSACTIONS, TRANSFER, Deployment

NOT_FOR_STAFF = ("--exclude-path-regex", "^/admin")
"""What is for staff is called in each role in tests/auth_server/test_openapi.py."""


def test_the_authorization_server_without_a_token(deployment: Deployment, tmp_path: Path) -> None:
    schemathesis(deployment.issuer, "none", tmp_path, 40, *NOT_FOR_STAFF)


def test_the_authorization_server_with_a_customer_s_own_token(
    app: BankingApp, deployment: Deployment, tmp_path: Path
) -> None:
    token = app.sign_on(MARIA, READ_BALANCE).issuer_token()
    schemathesis(deployment.issuer, token, tmp_path, 40, *NOT_FOR_STAFF)


def test_the_gateway_with_a_delegation_token(
    app: BankingApp, agent: Agent, deployment: Deployment, tmp_path: Path
) -> None:
    every = (READ_BALANCE, READ_TRANSACTIONS, TRANSFER)
    subject = app.sign_on(MARIA, *every).subject_token()
    schemathesis(deployment.gateway, agent.delegation_token(subject, " ".join(every)), tmp_path, 40)


def test_the_account_api_with_the_app_token(app: BankingApp, deployment: Deployment, tmp_path: Path) -> None:
    schemathesis(deployment.account_api, app.sign_on(MARIA).app_token, tmp_path, 40)
