"""What people say to the assistant, and what the offline model makes of it, through the whole chatbot.

The sentences stand in `utterances.yaml`. Each is asked over HTTP, and the model is reached by the real
`openai` client; what counts is which calls arrive at the gateway and what the customer reads. A second bank,
whose amounts are three times as large, shows that no figure is the model's own.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chatbot.tools import TOOLS
from tests.chatbot.asking import Answer
from tests.chatbot.bank import ACCOUNT_IDS, Bank
from tests.chatbot.conftest import World

# As text, all of it: YAML would make dates and numbers of the arguments.
UTTERANCES: list[dict[str, Any]] = yaml.load(
    (Path(__file__).parent / "utterances.yaml").read_text("utf-8"), yaml.BaseLoader
)
Call = tuple[str, str, dict[str, str | int], dict[str, Any] | None]
"""Method, path, query and body."""

FIGURE = re.compile(r"EUR (-?[\d,]+\.\d\d)")


def turns(utterance: dict[str, Any]) -> list[str]:
    return utterance["say"] if isinstance(utterance["say"], list) else [utterance["say"]]


def name(utterance: dict[str, Any]) -> str:
    return " / ".join(turns(utterance))


def expected_calls(utterance: dict[str, Any]) -> list[Call]:
    """The HTTP calls that the expected tool calls stand for; the tools' own schemas take the arguments."""
    found = []
    for entry in utterance.get("calls", []):
        tool_name, arguments = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        [tool] = [tool for tool in TOOLS if tool.name == tool_name]
        everywhere = arguments.get("account_id") == "all"
        for account_id in ACCOUNT_IDS if everywhere else [None]:
            given = arguments | {"account_id": account_id} if everywhere else arguments
            call = tool.arguments.model_validate_strings(given).call()
            found.append((call.method, call.path, call.query, call.body))
    return found


def made_calls(answer: Answer, expected: list[Call]) -> list[Call]:
    """The calls that reached the gateway, but for the look-up of accounts where it was not what was asked."""
    requests = [step["request"] for step in answer.steps(5)]
    made = [(r["method"], r["path"], r.get("query", {}), r.get("body")) for r in requests]
    lookup: Call = ("GET", "/accounts", {}, None)
    return made if expected == [lookup] else [call for call in made if call != lookup]


@pytest.mark.parametrize("utterance", UTTERANCES, ids=name)
def test_it_is_understood(world: World, utterance: dict[str, Any]) -> None:
    answer = world.ask(*turns(utterance))

    expected = expected_calls(utterance)
    assert made_calls(answer, expected) == expected
    assert utterance.get("answer", "") in answer.text
    if utterance.get("kind") == "ask":
        assert "?" in answer.text or "plain English questions" in answer.text


@pytest.mark.parametrize(
    "utterance",
    [each for each in UTTERANCES if "calls" in each and "EUR" in each.get("answer", "")],
    ids=name,
)
def test_every_figure_comes_from_the_bank_or_from_the_customer(
    world: World, utterance: dict[str, Any]
) -> None:
    answers = []
    for factor in (1, 3):
        world.begin_again()
        world.gateway.bank = Bank(factor)
        answers.append(world.ask(*turns(utterance)).text)

    first, second = ([float(f.replace(",", "")) for f in FIGURE.findall(answer)] for answer in answers)
    said = {
        f"{float(number):.2f}" for number in re.findall(r"\d+(?:\.\d+)?", name(utterance).replace(",", ""))
    }
    for once, thrice in zip(first, second, strict=True):
        assert thrice == pytest.approx(3 * once) or (once == thrice and f"{once:.2f}" in said)


def test_there_are_enough_of_them() -> None:
    assert len(UTTERANCES) >= 130
    assert sum(each.get("kind") in {"ask", "decline"} for each in UTTERANCES) >= 35
    assert all(("calls" in each) != ("kind" in each) for each in UTTERANCES)
