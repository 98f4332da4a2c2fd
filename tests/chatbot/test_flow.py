"""Steps 2 to 6 as the customer's page gets them: one exchange for one scope, and what each party decided."""

import jwt
import pytest

from delegation.trace import incoming_trace_id
from tests.chatbot.asking import records_in
from tests.chatbot.conftest import EITHER_WAY, SCOPE, World
from tests.chatbot.parties import claims, denied
from tests.issuer import ACCOUNT_API, AGENT, CUSTOMER

pytestmark = EITHER_WAY
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BALANCE_OF_SAVINGS = "What is the balance of account 4001-02?"


def test_one_question_goes_through_steps_2_to_6_in_order(world: World) -> None:
    answer = world.ask(BALANCE_OF_SAVINGS)

    assert [step["step"] for step in answer.of("step")] == [2, 3, 4, 5, 6]
    assert [step["call"] for step in answer.of("step")] == [0, 1, 1, 1, 1]
    assert [(step["from"], step["to"]) for step in answer.of("step")] == [
        ("banking_app", "chatbot"),
        ("chatbot", "auth_server"),
        ("auth_server", "chatbot"),
        ("chatbot", "gateway"),
        ("gateway", "account_api"),
    ]
    assert answer.text == "The balance of your Savings (4001-02) is EUR 10,200.00."


def test_step_2_shows_the_subject_tokens_claims(world: World) -> None:
    token = world.subject_token()

    [step] = world.ask("hello", token=token).steps(2)

    assert step["token"] == claims(token)
    assert step["decision"] == "permit"


def test_step_3_asks_for_the_one_scope_at_the_one_resource(world: World) -> None:
    [step] = world.ask(BALANCE_OF_SAVINGS).steps(3)

    [form] = world.token_endpoint.exchanges
    assert form["scope"] == step["request"]["scope"] == "account:read_balance"
    assert form["resource"] == step["request"]["resource"] == ACCOUNT_API
    assert step["request"]["actor_token"]["sub"] == AGENT
    assert "subject_token" not in step["request"]


def test_step_4_shows_the_delegation_tokens_claims(world: World) -> None:
    [step] = world.ask(BALANCE_OF_SAVINGS).steps(4)

    assert step["token"]["sub"] == CUSTOMER
    assert step["token"]["act"] == {"sub": AGENT}
    assert step["token"]["scope"] == "account:read_balance"
    assert step["decision"] == "permit"


def test_steps_5_and_6_show_what_gateway_and_account_api_decided(world: World) -> None:
    answer = world.ask(BALANCE_OF_SAVINGS)

    [step_5], [step_6] = answer.steps(5), answer.steps(6)
    assert (step_5["decision"], step_5["reason"]) == ("permit", 'the policy lets "this" agent')
    assert step_5["decision_id"] == "d" * 32
    assert (
        step_5["request"]
        == {
            "rest": {"method": "GET", "path": "/accounts/4001-02/balance"},
            "mcp": {"method": "tools/call", "name": "read_balance", "arguments": {"account_id": "4001-02"}},
        }[world.tools]
    )
    assert set(world.gateway.protocols) == {world.tools}
    assert (step_6["decision"], step_6["record_id"]) == ("permit", "r" * 32)
    assert step_6["request"] == {"status": 200}


@pytest.mark.parametrize(
    ("question", "scope"),
    [
        ("What is my balance?", "account:read_balance"),
        ("Show the transactions of account 4001-01", "account:read_transactions"),
    ],
)
def test_a_question_never_yields_a_token_that_can_do_more(world: World, question: str, scope: str) -> None:
    world.ask(question)

    used = [claims(call["token"])["scope"] for call in world.gateway.calls if call["path"] != "/accounts"]
    assert set(used) <= {scope}


def test_only_the_transfer_itself_has_the_transfer_scope(world: World) -> None:
    world.ask("Transfer 50 euros to Maria Lopez", "yes")

    scopes = {call["path"]: claims(call["token"])["scope"] for call in world.gateway.calls}
    assert scopes == {"/accounts": "account:read_balance", "/transfers": "account:transfer"}


def test_a_delegation_token_is_used_again_while_it_lives(world: World) -> None:
    token = world.subject_token()
    world.ask(BALANCE_OF_SAVINGS, token=token)
    world.clock.forward(seconds=280)

    again = world.ask(BALANCE_OF_SAVINGS, token=token)

    assert len(world.token_endpoint.exchanges) == 1
    assert [again.steps(number)[0]["reused"] for number in (3, 4, 5, 6)] == [True, True, True, False]


def test_it_is_exchanged_anew_shortly_before_it_expires(world: World) -> None:
    token = world.subject_token()
    world.ask(BALANCE_OF_SAVINGS, token=token)
    world.clock.forward(seconds=286)

    again = world.ask(BALANCE_OF_SAVINGS, token=token)

    assert len(world.token_endpoint.exchanges) == 2
    assert not again.steps(4)[0]["reused"]


def test_it_never_serves_another_subject_token(world: World) -> None:
    world.ask(BALANCE_OF_SAVINGS, token=world.subject_token())
    world.ask(BALANCE_OF_SAVINGS, token=world.subject_token())
    world.ask(BALANCE_OF_SAVINGS, token=world.subject_token(sub="maria@example.com"))

    assert len(world.token_endpoint.exchanges) == 3
    assert claims(world.gateway.calls[-1]["token"])["sub"] == "maria@example.com"


def test_the_end_of_a_conversation_forgets_the_customers_tokens(world: World) -> None:
    token = world.subject_token()
    world.ask(BALANCE_OF_SAVINGS, token=token)
    world.http.delete("/chat", headers={"Authorization": f"Bearer {token}"}).raise_for_status()

    world.ask(BALANCE_OF_SAVINGS, token=token)

    assert len(world.token_endpoint.exchanges) == 2


def test_a_token_that_the_gateway_does_not_accept_is_exchanged_anew_once(world: World) -> None:
    world.gateway.instead = [denied(401, "The signing key was withdrawn.")]

    answer = world.ask(BALANCE_OF_SAVINGS)

    assert [step["step"] for step in answer.of("step")] == [2, 3, 4, 5, 3, 4, 5, 6]
    assert "EUR 10,200.00" in answer.text


def test_a_second_refusal_of_the_token_is_told_and_not_tried_again(world: World) -> None:
    world.gateway.instead = [denied(401, "No."), denied(401, "Still no.")]

    answer = world.ask(BALANCE_OF_SAVINGS)

    assert len(world.gateway.calls) == 2
    assert "refused" in answer.text
    assert "Still no." in answer.text


def test_the_callers_trace_is_handed_on_to_every_party(world: World) -> None:
    answer = world.ask(BALANCE_OF_SAVINGS, traceparent=TRACE)

    parents = world.token_endpoint.traceparents + [call["traceparent"] for call in world.gateway.calls]
    assert {incoming_trace_id(parent) for parent in parents} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert answer.of("done") == [{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}]


def test_the_agent_authenticates_with_the_key_that_it_publishes(world: World) -> None:
    world.ask(BALANCE_OF_SAVINGS)

    [published] = world.http.get("/jwks.json").json()["keys"]
    assertion = world.token_endpoint.forms[0]["client_assertion"]
    read = jwt.decode(
        assertion,
        jwt.PyJWK(published),
        ["ES256"],
        audience=world.issuer.issuer,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert read["iss"] == read["sub"] == AGENT
    assert "d" not in published


def test_steps_2_and_3_are_recorded(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    answer = world.ask(BALANCE_OF_SAVINGS)

    records = records_in(capsys.readouterr().out)
    assert [(record["step"], record["decision"]) for record in records] == [(2, "permit"), (3, "permit")]
    assert {record["trace_id"] for record in records} == {answer.of("done")[0]["trace_id"]}
    assert [record["decision_id"] for record in records] == [
        answer.steps(number)[0]["record_id"] for number in (2, 3)
    ]
    assert records[0]["scope"] == SCOPE
    assert records[1]["scope"] == "account:read_balance"
    assert records[1]["act"] == [AGENT]
    assert records[1]["sub"] == CUSTOMER
