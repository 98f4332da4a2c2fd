"""The chatbot and the account API itself, no gateway between: the same answers and records either way."""

from pathlib import Path
from typing import Any

from tests.account_api.banks import Bank, open_bank, sqlite_url
from tests.chatbot.conftest import TODAY, OpenWorld
from tests.clock import SetClock
from tests.issuer import TestIssuer

QUESTIONS = (
    "What is my balance?",
    "What is the balance of account 4001-02?",
    "Show my last five transactions",
    "What did I spend in February 2026?",
    "What is the balance of account 4002-01?",
    "Transfer 50 euros to Maria Lopez",
    "yes",
    "Transfer 9999999 euros to Maria Lopez",
    "yes",
)


def told_and_recorded(
    new_world: OpenWorld, bank: Bank, tools: str
) -> tuple[list[str], list[dict[str, Any]], list[list[int]]]:
    """Ask all questions, and return the answers, the account API's records, and the steps."""
    with new_world(tools=tools, gateway_url=bank.url, mcp_url=f"{bank.url}/mcp") as world:
        token = world.subject_token()
        answers = [world.ask(question, token=token) for question in QUESTIONS]
    compared = ("operation", "decision", "reason", "sub", "act", "client_id", "scope")
    records = [{name: record._mapping[name] for name in compared} for record in bank.ledger.records()]
    steps = [[step["step"] for step in answer.of("step")] for answer in answers]
    return [answer.text for answer in answers], records, steps


def test_answers_records_and_steps_are_the_same_by_rest_and_by_mcp(
    new_world: OpenWorld, issuer: TestIssuer, tmp_path: Path
) -> None:
    found = []
    for tools in ("rest", "mcp"):
        (tmp_path / tools).mkdir()
        with open_bank(sqlite_url(tmp_path / tools), issuer, SetClock(TODAY)) as bank:
            found.append(told_and_recorded(new_world, bank, tools))
            assert bank.ledger.booked()["Transfer to Maria Lopez"] == 1

    by_rest, by_mcp = found
    assert by_mcp == by_rest
    texts, records, _ = by_mcp
    assert texts[6].startswith("Done")
    assert {record["operation"] for record in records} == {
        "account.list",
        "account.read_balance",
        "account.read_transactions",
        "account.transfer",
    }
    assert {record["decision"] for record in records} == {"permit", "deny"}
