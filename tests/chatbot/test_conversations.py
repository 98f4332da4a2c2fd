"""What was said is remembered: for the customer who said it, for a while, and up to a bound."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.chatbot.asking import ask
from tests.chatbot.conftest import OpenWorld, World
from tests.chatbot.models import Reply, ScriptedModel, calls, says
from tests.issuer import CUSTOMER

MARIA = "maria@example.com"


def test_customers_do_not_share_a_conversation(world: World) -> None:
    world.ask("Transfer 50 euros to Maria Lopez")

    other = world.ask("yes", token=world.subject_token(sub="sam@example.com"))

    assert "nothing waiting" in other.text
    assert world.gateway.bank.orders == {}


def test_a_conversation_outlives_its_subject_token(world: World) -> None:
    world.ask("Transfer 50 euros to Maria Lopez", token=world.subject_token())

    assert "Done" in world.ask("yes", token=world.subject_token()).text


def test_a_forgotten_conversation_is_forgotten(world: World) -> None:
    token = world.subject_token()
    world.ask("Transfer 50 euros to Maria Lopez", token=token)
    response = world.http.delete("/chat", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 204
    assert "nothing waiting" in world.ask("yes", token=token).text


def test_forgetting_leaves_other_customers_alone(world: World) -> None:
    world.ask("Transfer 50 euros to Maria Lopez")
    other = {"Authorization": f"Bearer {world.subject_token(sub=MARIA)}"}
    world.http.delete("/chat", headers=other)

    assert "Done" in world.ask("yes").text


def test_an_idle_conversation_is_forgotten_after_half_an_hour(world: World) -> None:
    world.ask("Transfer 50 euros to Maria Lopez", token=world.subject_token())
    world.clock.forward(minutes=31)

    assert "nothing waiting" in world.ask("yes", token=_later_token(world)).text


def test_a_conversation_that_goes_on_is_kept(world: World) -> None:
    world.ask("Transfer 50 euros to Maria Lopez", token=world.subject_token())
    world.clock.forward(minutes=20)
    world.ask("from savings", token=_later_token(world))
    world.clock.forward(minutes=20)

    assert "Done" in world.ask("yes", token=_later_token(world)).text


def test_the_oldest_turns_are_dropped_whole_beyond_the_bound(new_world: OpenWorld) -> None:
    model = ScriptedModel(lambda body: says("x" * 4000))
    with model.serving() as base_url, new_world(openai_base_url=base_url) as world:
        token = world.subject_token()
        world.ask(*[f"question {number}" for number in range(40)], token=token)

    messages = model.requests[-1]["messages"]
    assert messages[0]["role"] == "system"
    assert messages[1]["role"] == "user"
    assert messages[-1]["content"] == "question 39"
    assert len(messages) <= 61
    assert sum(len(message["content"]) for message in messages) < 110_000


def test_questions_of_one_customer_are_answered_one_after_the_other(new_world: OpenWorld) -> None:
    def script(body: dict[str, Any]) -> Reply:
        asked = body["messages"][-1]["role"] == "user"
        return calls(("list_accounts", "{}")) if asked else says("There.")

    model = ScriptedModel(script)
    with model.serving() as base_url, new_world(openai_base_url=base_url) as world:
        token = world.subject_token()
        with ThreadPoolExecutor(5) as pool:
            asked = [pool.submit(ask, world.http, token, f"question {number}") for number in range(5)]
            assert [future.result().text for future in asked] == ["There."] * 5

    longest = max((request["messages"] for request in model.requests), key=len)
    assert [message["role"] for message in longest[1:]] == ["user", "assistant", "tool", "assistant"] * 4 + [
        "user",
        "assistant",
        "tool",
    ]


def test_who_asks_faster_than_the_answers_come_is_told_so(new_world: OpenWorld) -> None:
    with new_world(gateway_timeout_seconds=1) as world:
        world.gateway.instead = [None]
        token = world.subject_token()
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, world.http, token, "What is my balance?") for _ in range(8)]
            answers = [future.result() for future in asked]

    refused = [answer for answer in answers if answer.of("error")]
    assert len(refused) == 3
    assert {answer.error["title"] for answer in refused} == {"One question after the other"}


def _later_token(world: World) -> str:
    """A subject token of the time that the world's clock shows; the issuer's stands still."""
    now = int(world.clock().timestamp())
    return world.issuer.subject_token("account:read_balance", sub=CUSTOMER, iat=now, exp=now + 900)
