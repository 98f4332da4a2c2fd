"""One question can be followed through the records of all five services, and no record or log holds a secret.

Issue 2, point 6.
"""

from typing import Any

import httpx2
import pytest

from deploy.local_settings import SERVICES
from tests.stack.banking_app import BankingApp
from tests.stack.deployment import ALEX, MARIA, READ_BALANCE, READ_TRANSACTIONS, Deployment
from tests.stack.doors import bearer
from tests.stack.secrets_seen import ENCODED_TOKEN, SecretsSeen
from tests.stack.stack import Stack
from tests.stack.visitor import Visitor
from tests.stack.waiting import until

QUESTION = "How much money is on my savings account, please?"
STEPS = {"banking_app": {2}, "chatbot": {2, 3}, "auth_server": {1, 3, 4}, "gateway": {5}, "account_api": {6}}
"""The steps of the documented flow that each service records for one question."""


def records_of(stack: Stack, trace_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return each service's records of one trace, when all five have one."""

    def look() -> dict[str, list[dict[str, Any]]]:
        found = {service: stack.records(service, trace_id) for service in SERVICES}
        missing = [service for service, records in found.items() if not records]
        assert not missing, f"no record of {missing}"
        return found

    return until(look, "all five services have recorded the question")


@pytest.fixture
def agent_with_a_good_actor_token(app: BankingApp, deployment: Deployment, http: httpx2.Client) -> None:
    """Another test may have ended the one that the agent held, which a first refusal shows it."""
    subject = app.sign_on(MARIA, READ_BALANCE).subject_token()
    answer = http.post(f"{deployment.chatbot}/chat", headers=bearer(subject), json={"message": QUESTION})
    assert answer.is_success


@pytest.mark.usefixtures("agent_with_a_good_actor_token")
def test_one_trace_id_leads_through_the_records_of_all_five_services(
    visitor: Visitor, stack: Stack, deployment: Deployment
) -> None:
    visitor.sign_on(ALEX, READ_BALANCE, READ_TRANSACTIONS)
    trace_id = visitor.ask(QUESTION).trace_id
    recorded = records_of(stack, trace_id)
    visitor.sign_out()
    for service, records in recorded.items():
        assert {record["service"] for record in records} == {service}
        assert {record["step"] for record in records} <= STEPS[service]
        refused = [(each["operation"], each["reason"]) for each in records if each["decision"] != "permit"]
        assert refused == []
    [exchange] = [each for each in recorded["auth_server"] if each["operation"] == "token.exchange"]
    calls = [each for each in recorded["account_api"] if each["operation"] != "records.read"]
    chain = [exchange, *recorded["gateway"], *calls]
    assert len(chain) >= 3
    for record in chain:
        assert record["sub"] == ALEX
        assert record["act"] == [deployment.agent_id]
        assert record["aud"] == [deployment.audience]
        assert record["scope"] == READ_BALANCE
        assert record["jti"] == exchange["jti"]


@pytest.mark.last
@pytest.mark.parametrize("service", SERVICES)
def test_no_record_or_log_holds_a_token_a_code_a_password_a_cookie_or_a_question(
    service: str, stack: Stack, seen: SecretsSeen
) -> None:
    printed = stack.output(service)
    assert '"trace_id":' in printed
    assert len(seen) > 1
    assert sum(secret in printed for secret in seen) == 0
    assert len(ENCODED_TOKEN.findall(printed)) == 0
    assert QUESTION not in printed
