"""The chatbot, the gateway and the account API themselves: the same by REST and by MCP, but for the call."""

from pathlib import Path
from typing import Any

import pytest

import gateway.app
import gateway.settings
from tests.account_api.banks import open_bank, sqlite_url
from tests.chatbot.asking import Answer, records_in
from tests.chatbot.conftest import TODAY, OpenWorld
from tests.clock import SetClock
from tests.issuer import TestIssuer
from tests.serving import serve

QUESTIONS = (
    "What is my balance?",
    "What is the balance of account 4001-02?",
    "Show my last five transactions",
    "What did I spend in February 2026?",
    "What is the balance of account 4002-01?",
    "Transfer 50 euros to Maria Lopez",
    "yes",
    "Transfer 3000 euros to Maria Lopez",
    "yes",
    "Transfer 9000000 euros to Maria Lopez",
    "yes",
)
COMPARED = (
    "service",
    "step",
    "operation",
    "resource",
    "decision",
    "reason",
    "sub",
    "act",
    "client_id",
    "scope",
)


def answers(new_world: OpenWorld, issuer: TestIssuer, folder: Path, tools: str) -> list[Answer]:
    """Ask all questions of a new chatbot before a new gateway and a new bank."""
    folder.mkdir()
    with open_bank(sqlite_url(folder), issuer, SetClock(TODAY)) as bank:
        settings = gateway.settings.Settings(
            jwks_uri=issuer.jwks_uri, upstream_url=bank.url, data_dir=folder / "gateway"
        )
        with (
            serve(gateway.app.create_app(settings, SetClock(TODAY))) as door,
            new_world(tools=tools, gateway_url=door, mcp_url=f"{door}/mcp") as world,
        ):
            token = world.subject_token()
            return [world.ask(question, token=token) for question in QUESTIONS]


def comparable_steps(answer: Answer) -> list[dict[str, Any]]:
    """The steps without what is another in each run, and without the call and its HTTP status."""
    others = {"at", "token", "request", "record_id", "decision_id"}
    return [{name: value for name, value in step.items() if name not in others} for step in answer.of("step")]


def comparable_records(written: str) -> list[dict[str, Any]]:
    """What every service recorded, but for the transfer's own number."""
    found = [{name: record.get(name) for name in COMPARED} for record in records_in(written)]
    for record in found:
        if str(record["resource"]).startswith("/transfers/"):
            record["resource"] = "/transfers/…"
    return sorted(found, key=str)


def test_answers_steps_and_records_are_the_same_by_rest_and_by_mcp(
    new_world: OpenWorld, issuer: TestIssuer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_rest = answers(new_world, issuer, tmp_path / "rest", "rest")
    recorded_by_rest = comparable_records(capsys.readouterr().out)
    by_mcp = answers(new_world, issuer, tmp_path / "mcp", "mcp")
    recorded_by_mcp = comparable_records(capsys.readouterr().out)

    assert [answer.text for answer in by_mcp] == [answer.text for answer in by_rest]
    assert [comparable_steps(answer) for answer in by_mcp] == [comparable_steps(answer) for answer in by_rest]
    # The gateway looks at the account API's tools for itself, to compare them with those that were accepted.
    looks = [record for record in recorded_by_mcp if record["operation"] == "mcp.tools/list"]
    assert {(look["service"], look["decision"]) for look in looks} == {("account_api", "permit")}
    assert [record for record in recorded_by_mcp if record not in looks] == recorded_by_rest
    assert by_mcp[6].text.startswith("Done")
    assert {record["service"] for record in recorded_by_mcp} == {"chatbot", "gateway", "account_api"}
    assert {step["request"]["method"] for answer in by_mcp for step in answer.steps(5)} == {"tools/call"}
    denied = [step for answer in by_mcp for step in answer.of("step") if step["decision"] == "deny"]
    assert {step["step"] for step in denied} == {5, 6}
