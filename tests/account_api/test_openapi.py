"""Shows that the OpenAPI document tells the truth: schemathesis finds no answer that it does not describe."""

import subprocess
import sys
from pathlib import Path

from account_api.access import Requirement
from tests.account_api.banks import READ, Bank, open_bank
from tests.issuer import TestIssuer


def test_no_request_is_answered_with_500_or_in_a_way_that_is_not_documented(
    postgres_url: str, issuer: TestIssuer, tmp_path: Path
) -> None:
    # PostgreSQL, because it is the stricter one about text: it refuses NUL and half surrogate pairs.
    with open_bank(postgres_url, issuer) as bank:
        token = issuer.app_token(f"{READ} account:transfer")
        # What is valid in form may still be refused: a key used before, a recipient that nobody saved.
        options = {
            "--header": f"Authorization: Bearer {token}",
            "--exclude-checks": "positive_data_acceptance",
            "--phases": "fuzzing",
            "--max-examples": "25",
        }
        run = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run", f"{bank.url}/openapi.json"]
            + [part for option in options.items() for part in option],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 0, run.stdout


def test_every_route_says_what_it_needs_and_every_refusal_is_a_problem_document(bank: Bank) -> None:
    document = bank.get("/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    needed = {operation["operationId"]: Requirement.from_openapi(operation) for operation in operations}
    assert {name: (str(requirement.scope), requirement.agents) for name, requirement in needed.items()} == {
        "account.list": ("account:read_balance", True),
        "account.read_balance": ("account:read_balance", True),
        "account.read_transactions": ("account:read_transactions", True),
        "account.transfer": ("account:transfer", True),
        "audit.read": ("audit:read", False),
        "records.read": ("", False),
    }
    for operation in operations:
        for status, response in operation["responses"].items():
            first, *_ = response["content"]
            assert first == ("application/json" if status.startswith("2") else "application/problem+json")
