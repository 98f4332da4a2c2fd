"""schemathesis finds no 500, and no answer that the service does not document.

Issue 2, point 8. The same requests each time; the account API is called past the gateway, which only
the tests' tunnel and a process of this machine can do.
"""

import subprocess
import sys
from pathlib import Path

from tests.stack.agent import Agent
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import MARIA, READ_BALANCE, READ_TRANSACTIONS, TRANSFER, Deployment

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
MAX_SECONDS = 240


def schemathesis(url: str, token: str, folder: Path, max_examples: int) -> None:
    """Call everything that the OpenAPI document describes; fail with schemathesis's own report."""
    (folder / "schemathesis.toml").write_text(f'[headers]\nAuthorization = "Bearer {token}"\n')
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
            *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", str(max_examples), "--generation-deterministic", "--request-timeout", "20"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_the_authorization_server_without_a_token(deployment: Deployment, tmp_path: Path) -> None:
    schemathesis(deployment.issuer, "none", tmp_path, 40)


def test_the_authorization_server_with_a_customer_s_own_token(
    app: BankingApp, deployment: Deployment, tmp_path: Path
) -> None:
    token = app.sign_on(MARIA, READ_BALANCE).issuer_token()
    schemathesis(deployment.issuer, token, tmp_path, 40)


def test_the_gateway_with_a_delegation_token(
    app: BankingApp, agent: Agent, deployment: Deployment, tmp_path: Path
) -> None:
    every = (READ_BALANCE, READ_TRANSACTIONS, TRANSFER)
    subject = app.sign_on(MARIA, *every).subject_token()
    schemathesis(deployment.gateway, agent.delegation_token(subject, " ".join(every)), tmp_path, 40)


def test_the_account_api_with_the_app_token(app: BankingApp, deployment: Deployment, tmp_path: Path) -> None:
    schemathesis(deployment.account_api, app.sign_on(MARIA).app_token, tmp_path, 40)
