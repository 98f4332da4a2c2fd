"""A transfer is made once: whatever is repeated, by the network, the model or the customer."""

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.chatbot.asking import records_in
from tests.chatbot.conftest import EITHER_WAY, OpenWorld, World
from tests.chatbot.models import Reply, ScriptedModel, calls, results, says
from tests.chatbot.parties import PERMITTED, denied

pytestmark = EITHER_WAY
ORDER = "Transfer 50 euros to Maria Lopez"
UNKNOWN = "it is not known whether the transfer was made"


def keys(world: World) -> list[str]:
    """The idempotency keys of the transfers that arrived at the gateway, in order."""
    return [call["key"] for call in world.gateway.calls if call["path"] == "/transfers"]


def test_a_transfer_carries_a_key_and_money_in_minor_units(world: World) -> None:
    answer = world.ask(ORDER, "yes")

    [call] = [call for call in world.gateway.calls if call["path"] == "/transfers"]
    assert call["body"] == {
        "from_account": "4001-01",
        "to": "Maria Lopez",
        "amount": {"amount_minor": 5000, "currency": "EUR"},
    }
    assert len(call["key"]) >= 32
    shown = answer.steps(5)[-1]["request"]
    assert call["key"] == shown.get("arguments", shown)["idempotency_key"]


def test_a_read_carries_no_key(world: World) -> None:
    world.ask("What is my balance?")

    assert [call["key"] for call in world.gateway.calls] == [None]


def test_a_new_order_of_the_same_is_another_transfer(world: World) -> None:
    world.ask(ORDER, "yes", ORDER, "yes")

    assert len(set(keys(world))) == 2
    assert len(world.gateway.bank.orders) == 2


def test_the_repeat_with_a_new_token_has_the_same_key(world: World) -> None:
    world.ask(ORDER)
    world.gateway.instead = [denied(401, "The key was withdrawn.")]

    world.ask("yes")

    assert len(keys(world)) == 2
    assert len(set(keys(world))) == 1
    assert len(world.gateway.bank.orders) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_outcome_that_is_not_known_is_told_and_the_same_order_keeps_its_key(
    world: World, status: int
) -> None:
    world.ask(ORDER)
    world.gateway.instead = [JSONResponse({}, status, PERMITTED)]

    assert UNKNOWN in world.ask("yes").text
    assert "Done" in world.ask(ORDER, "yes").text
    assert len(set(keys(world))) == 1
    assert len(world.gateway.bank.orders) == 1


def test_a_new_conversation_does_not_forget_what_is_not_settled(world: World) -> None:
    token = world.subject_token()
    world.ask(ORDER, token=token)
    world.gateway.instead = [JSONResponse({}, 504, PERMITTED)]
    world.ask("yes", token=token)
    world.http.delete("/chat", headers={"Authorization": f"Bearer {token}"})

    assert "Done" in world.ask(ORDER, "yes", token=token).text
    assert len(set(keys(world))) == 1


def test_a_gateway_that_hangs_leaves_the_outcome_unknown(new_world: OpenWorld) -> None:
    with new_world(gateway_timeout_seconds=0.2) as world:
        world.ask(ORDER)
        world.gateway.instead = [None]

        assert UNKNOWN in world.ask("yes").text
        assert "Done" in world.ask(ORDER, "yes").text
        assert len(set(keys(world))) == 1


def test_once_the_outcome_is_known_the_next_order_has_a_new_key(world: World) -> None:
    world.ask(ORDER)
    world.gateway.instead = [JSONResponse({}, 504, PERMITTED)]
    world.ask("yes", ORDER, "yes", ORDER, "yes")

    first, second, third = keys(world)
    assert first == second != third


def test_a_refused_transfer_is_settled(world: World) -> None:
    world.ask("move 99999 euros from savings to checking", "yes")
    world.ask("move 99999 euros from savings to checking", "yes")

    assert len(set(keys(world))) == 2


def test_a_model_that_repeats_itself_does_not_pay_twice(new_world: OpenWorld) -> None:
    order = {"from_account": "4001-01", "to": "Maria Lopez", "amount": "50.00", "currency": "EUR"}
    same_otherwise_written = {"amount": 50, "currency": "EUR", "to": "Maria Lopez", "from_account": "4001-01"}

    def repeats_itself(body: dict[str, Any]) -> Reply:
        if body["messages"][-1]["role"] == "user":
            return calls(("transfer", json.dumps(order)), ("transfer", json.dumps(same_otherwise_written)))
        asked_again = [m for m in body["messages"] if m["role"] == "tool"]
        return calls(("transfer", json.dumps(order))) if len(asked_again) == 2 else says("Done, I think.")

    with ScriptedModel(repeats_itself).serving() as base_url, new_world(openai_base_url=base_url) as world:
        world.ask("yes")

        assert len(keys(world)) == 3
        assert len(set(keys(world))) == 1
        assert len(world.gateway.bank.orders) == 1


def test_one_question_makes_one_transfer_whatever_the_model_wants(
    new_world: OpenWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"from_account": "4001-01", "to": "Maria Lopez", "amount": "50.00", "currency": "EUR"}
    wanted = [("transfer", json.dumps(order | {"amount": amount})) for amount in ("50.00", "49.99", "49.98")]

    def wants_more(body: dict[str, Any]) -> Reply:
        return calls(*wanted) if body["messages"][-1]["role"] == "user" else says("Done.")

    model = ScriptedModel(wants_more)
    with model.serving() as base_url, new_world(openai_base_url=base_url) as world:
        world.ask("yes")
        told = [result.get("error", {}).get("code") for result in results(model.requests[-1])]
        assert told == [None, "one-transfer-at-a-time", "one-transfer-at-a-time"]
        assert len(keys(world)) == 1

        world.ask("yes, and again")
        assert len(keys(world)) == 2

    refused = [one for one in records_in(capsys.readouterr().out) if one["decision"] == "deny"]
    assert [one["operation"] for one in refused] == ["account.transfer"] * 4


def test_a_customer_who_goes_away_during_the_transfer_does_not_pay_twice_on_return(world: World) -> None:
    world.ask(ORDER)
    headers = {"Authorization": f"Bearer {world.subject_token()}"}
    with world.http.stream("POST", "/chat", json={"message": "yes"}, headers=headers) as response:
        next(response.iter_lines())

    again = world.ask("yes")

    assert "nothing waiting" in again.text
    assert len(world.gateway.bank.orders) == 1


def test_nothing_is_transferred_without_a_yes_to_exactly_that(world: World) -> None:
    world.ask(ORDER, "make it 60", "and what is my balance?", "yes")

    assert keys(world) == []
