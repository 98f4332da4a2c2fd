"""The offline model's own interface: the protocol, over HTTP, and that no sentence can upset it."""

import json
import re
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam

from chatbot.offline_model.amounts import find_amounts
from chatbot.offline_model.app import create_offline_model
from chatbot.offline_model.dialogue import next_message
from chatbot.offline_model.periods import Period, find_period
from chatbot.offline_model.sentence import Sentence
from chatbot.offline_model.transcript import read_transcript
from chatbot.tools import TOOLS
from tests.serving import serve

SYSTEM: ChatCompletionMessageParam = {"role": "system", "content": "Today is 2026-03-17 (Tuesday)."}
OFFERED = [tool.as_param() for tool in TOOLS]
TODAY = date(2026, 3, 17)
PHRASES, REMARKS = (
    files("chatbot.offline_model").joinpath(name).read_text("utf-8")
    for name in ("phrases.toml", "remarks.toml")
)


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with serve(create_offline_model()) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def client(model_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="none", base_url=model_url, max_retries=0) as client:
        yield client


def asked(text: str) -> list[ChatCompletionMessageParam]:
    return [SYSTEM, {"role": "user", "content": text}]


def test_it_answers_whole_as_well_as_streamed(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="offline", messages=asked("hi"), tools=OFFERED)
    stream = client.chat.completions.create(model="offline", messages=asked("hi"), tools=OFFERED, stream=True)

    streamed = [chunk.choices[0] for chunk in stream]
    assert whole.choices[0].finish_reason == streamed[-1].finish_reason == "stop"
    assert "".join(choice.delta.content or "" for choice in streamed) == whole.choices[0].message.content
    assert len(streamed) > 3


def test_it_calls_tools_whole_as_well_as_streamed(client: openai.OpenAI) -> None:
    question = asked("balance of account 4001-01")
    whole = client.chat.completions.create(model="offline", messages=question, tools=OFFERED)
    stream = client.chat.completions.create(model="offline", messages=question, tools=OFFERED, stream=True)

    [call] = whole.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "read_balance",
        {"account_id": "4001-01"},
    )
    parts = [part for chunk in stream for part in chunk.choices[0].delta.tool_calls or []]
    assert (
        "".join(part.function.arguments or "" for part in parts if part.function) == call.function.arguments
    )


def test_it_calls_only_tools_that_are_offered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="offline", messages=asked("What is my balance?"))

    assert answer.choices[0].message.tool_calls is None
    assert "not been given" in (answer.choices[0].message.content or "")


def test_it_keeps_to_words_when_told_to(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="offline", messages=asked("What is my balance?"), tools=OFFERED, tool_choice="none"
    )

    assert answer.choices[0].message.tool_calls is None


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": [1]}',
        b'{"messages": [{"role": "user", "content": "hi"}]}',
        b'{"messages": [{"role": "system", "content": "Today is 2026-03-17"}]}',
        b'{"messages": [{"role": "system", "content": "Today is 2026-99-17"}, {"role": "user"}]}',
        b'{"messages": [{"role": "user", "content": "hi"}], "tools": [{}]}',
        b'{"messages": [{"role": "assistant", "tool_calls": [{}]}, {"role": "user", "content": "hi"}]}',
    ],
)
def test_a_request_that_it_cannot_answer_is_400(model_url: str, body: bytes) -> None:
    response = httpx2.post(f"{model_url}/chat/completions", content=body)

    assert response.status_code == 400
    assert response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("€50", "50", "EUR"),
        ("50€", "50", "EUR"),
        ("EUR50", "50", "EUR"),
        ("EUR 50.00", "50.00", "EUR"),
        ("1.250,50 euros", "1250.50", "EUR"),
        ("1,250.50 EUR", "1250.50", "EUR"),
        ("1 250,50 EUR", "1250.50", "EUR"),
        ("1'250.50 CHF", "1250.50", "CHF"),
        ("1.250 €", "1250", "EUR"),
        ("12,5 euro", "12.5", "EUR"),
        ("2k", "2000", None),
        ("3 thousand euros", "3000", "EUR"),
        ("twenty euros", "20", "EUR"),
        ("two hundred and fifty", "250", None),
        ("twenty-five euros and 50 cents", "25.5", "EUR"),
        ("12 euros 50 cents", "12.5", "EUR"),
        ("fifty cents", "0.5", None),
        ("a hundred bucks", "100", "USD"),
        ("20 quid", "20", "GBP"),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, value: str, currency: str | None) -> None:
    [amount] = find_amounts(Sentence.read(f"transfer {text} to Maria")).found

    assert (amount.value, amount.currency) == (Decimal(value), currency)


@pytest.mark.parametrize(
    "text", ["-50 euros", "€-50", "0 euros", "0.999", "1.2345 euros", "100.000.000 euros"]
)
def test_an_amount_that_cannot_be_meant_is_not_guessed(text: str) -> None:
    amounts = find_amounts(Sentence.read(f"transfer {text} to Maria"))

    assert amounts.found == ()
    assert amounts.unusable


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("last month", "2026-02-01", "2026-02-28"),
        ("this month", "2026-03-01", None),
        ("this week", "2026-03-16", None),
        ("last week", "2026-03-09", "2026-03-15"),
        ("the past two weeks", "2026-03-03", None),
        ("last 30 days", "2026-02-15", None),
        ("in the last 3 months", "2025-12-17", None),
        ("yesterday", "2026-03-16", "2026-03-16"),
        ("since March", "2026-03-01", None),
        ("in October", "2025-10-01", "2025-10-31"),
        ("in octobr", "2025-10-01", "2025-10-31"),
        ("in may", "2025-05-01", "2025-05-31"),
        ("October 2024", "2024-10-01", "2024-10-31"),
        ("from November to January", "2025-11-01", "2026-01-31"),
        ("between 1 March and 10 March", "2026-03-01", "2026-03-10"),
        ("from 1 to 15 March", "2026-03-01", "2026-03-15"),
        ("2026-01-01 to 2026-01-31", "2026-01-01", "2026-01-31"),
        ("on 12.03.2026", "2026-03-12", "2026-03-12"),
        ("on Monday", "2026-03-16", "2026-03-16"),
        ("last Friday", "2026-03-13", "2026-03-13"),
        ("last weekend", "2026-03-14", "2026-03-15"),
        ("last quarter", "2025-10-01", "2025-12-31"),
        ("this year", "2026-01-01", None),
        ("in 2025", "2025-01-01", "2025-12-31"),
        ("before February", None, "2026-01-31"),
        ("until 10 March", None, "2026-03-10"),
    ],
)
def test_periods_are_read_as_people_say_them(text: str, start: str | None, end: str | None) -> None:
    period = find_period(Sentence.read(f"show transactions {text}"), TODAY).period

    assert period == Period(
        date.fromisoformat(start) if start else None, date.fromisoformat(end) if end else None
    )


@pytest.mark.parametrize(
    "text", ["may I see my transactions", "on 30 February", "2026-99-99", "I will march on"]
)
def test_what_is_no_period_is_not_taken_for_one(text: str) -> None:
    assert find_period(Sentence.read(text), TODAY).period is None


def words() -> st.SearchStrategy[str]:
    """Sentences of words that mean something to the model, with noise between them."""
    known = """
        transfer send pay 50 1.250,50 € euros to from my savings checking card 4001-01 Maria Lopez for lunch
        yes no balance how much last five transactions in October since March 31 February spend on groceries
        and what about | - , . ? ! memo every month total largest between 99 the of 2k twenty all cancel
    """
    return st.lists(st.sampled_from(known.split()) | st.text(max_size=12), max_size=25).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(words(), min_size=1, max_size=4))
def test_any_sentences_get_an_answer_or_a_valid_tool_call(sentences: list[str]) -> None:
    messages: list[Any] = [SYSTEM]
    for sentence in sentences:
        messages.append({"role": "user", "content": sentence})
        message = next_message(read_transcript({"messages": messages, "tools": OFFERED}))
        if isinstance(message, str):
            assert message
        else:
            for call in message:
                [tool] = [tool for tool in TOOLS if tool.name == call.name]
                tool.arguments.model_validate_json(json.dumps(dict(call.arguments))).call()


def test_no_repetition_keeps_the_model_busy() -> None:
    words = sorted(set(re.findall(r"[^\W\d_]+|[|?!,.-]", (PHRASES + REMARKS).lower())))
    texts = [f"{word} " * 40 + "x" for word in words]
    texts += [f"{one} {other} " * 25 + "x" for one, other in zip(words[::3], words[7::3], strict=False)]
    for text in texts:
        begin = time.process_time()
        answer_to(text)
        assert time.process_time() - begin < 1, text


@pytest.mark.parametrize(
    "text",
    [
        "a " * 1000,
        "transfer " * 220,
        "50 " * 660,
        "twenty " * 280,
        "1 000" * 400,
        "in march and " * 150,
        "- " * 1000,
        "x" * 2000,
        "x@" * 1000,
        "send to to to to " * 110,
        "how much did i spend on " * 80,
        "please do it " * 150 + "x",
        "hello " * 300 + "x",
        "thanks for you for " * 100 + "x",
        "did my " * 280,
        "on my my my my " * 130,
    ],
    ids=lambda text: text[:12],
)
def test_the_longest_message_is_understood_in_reasonable_time(text: str) -> None:
    begin = time.process_time()
    answer_to(text[:2000])

    assert time.process_time() - begin < 1


def answer_to(text: str) -> object:
    return next_message(read_transcript({"messages": asked(text), "tools": OFFERED}))
