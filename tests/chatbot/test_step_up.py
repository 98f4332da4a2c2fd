"""Step-up by challenge: a 403 that names more scope is answered with one exchange and retry, or with none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse

from chatbot.challenge import demanded_scope, widened
from delegation.scope import Scope
from tests.chatbot.asking import records_in
from tests.chatbot.bank import PROBLEMS
from tests.chatbot.conftest import EITHER_WAY, World
from tests.chatbot.parties import PERMITTED, claims, denied, insufficient

READ = "account:read_balance"
BOTH = "account:read_balance account:read_transactions"
QUESTION = "What is the balance of account 4001-02?"
ORDER = "Transfer 50 euros to Maria Lopez"


@EITHER_WAY
def test_a_refusal_for_too_little_scope_is_answered_with_one_exchange_for_both_and_one_retry(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.gateway.enough = frozenset(BOTH.split())

    answer = world.ask(QUESTION)

    assert "EUR 10,200.00" in answer.text
    assert [form["scope"] for form in world.token_endpoint.exchanges] == [READ, BOTH]
    assert [claims(call["token"])["scope"] for call in world.gateway.calls] == [READ, BOTH]
    assert [step["step"] for step in answer.of("step")] == [2, 3, 4, 5, 3, 4, 5, 6]
    first, second = answer.steps(3)
    assert (first["title"], first["reason"]) == ("Token exchange requested", None)
    assert second["title"] == "Second token exchange requested"
    assert "403 insufficient_scope" in second["reason"]
    assert second["request"]["scope"] == BOTH
    assert [step["decision"] for step in answer.steps(5)] == ["deny", "permit"]
    exchanges = [record for record in records_in(capsys.readouterr().out) if record["step"] == 3]
    assert [record["scope"] for record in exchanges] == [READ, BOTH]


@EITHER_WAY
def test_the_wider_token_serves_the_next_call_of_its_kind_without_another_exchange(world: World) -> None:
    token = world.subject_token()
    world.gateway.enough = frozenset(BOTH.split())

    world.ask(QUESTION, QUESTION, token=token)

    assert [form["scope"] for form in world.token_endpoint.exchanges] == [READ, BOTH]


@EITHER_WAY
def test_a_gateway_that_is_never_content_is_asked_twice_and_no_more(world: World) -> None:
    world.gateway.instead = [insufficient(BOTH), insufficient(f"{BOTH} account:transfer"), insufficient(BOTH)]

    answer = world.ask(QUESTION)

    assert len(world.gateway.calls) == 2
    assert len(world.token_endpoint.exchanges) == 2
    assert "The token's scope does not suffice." in answer.text


@EITHER_WAY
@pytest.mark.parametrize(
    "demanded",
    [
        READ,
        "audit:read",
        f"{BOTH} audit:read",
        "account:transfer",
        f"{READ} account:transfer",
        "",
        "account:read_transactions\u00a0x",
    ],
)
def test_no_scope_is_asked_for_that_is_not_lacking_or_not_this_tools_to_ask(
    world: World, demanded: str
) -> None:
    world.gateway.instead = [insufficient(demanded.encode().decode("latin-1"))]

    answer = world.ask(QUESTION)

    assert [form["scope"] for form in world.token_endpoint.exchanges] == [READ]
    assert len(world.gateway.calls) == 1
    assert "The token's scope does not suffice." in answer.text


@EITHER_WAY
def test_a_wider_token_that_is_not_accepted_is_not_kept(world: World) -> None:
    token = world.subject_token()
    world.gateway.instead = [insufficient(BOTH), denied(401, "The token has been revoked.")]

    assert "The token has been revoked." in world.ask(QUESTION, token=token).text
    assert len(world.gateway.calls) == 2

    world.gateway.enough = frozenset(BOTH.split())
    assert "EUR 10,200.00" in world.ask(QUESTION, token=token).text
    assert [form["scope"] for form in world.token_endpoint.exchanges] == [READ, BOTH, BOTH]


@EITHER_WAY
def test_a_transfer_keeps_its_key_across_the_retry(world: World) -> None:
    world.ask(ORDER)
    world.gateway.instead = [insufficient(f"{READ} account:transfer")]

    assert "Done" in world.ask("yes").text

    transfers = [call for call in world.gateway.calls if call["path"] == "/transfers"]
    assert len(transfers) == 2
    assert len({call["key"] for call in transfers}) == 1
    assert len(world.gateway.bank.orders) == 1


@EITHER_WAY
def test_a_refused_second_exchange_is_told_as_any_refused_exchange(world: World) -> None:
    token = world.subject_token()
    world.ask(QUESTION, token=token)
    world.gateway.enough = frozenset(BOTH.split())
    world.token_endpoint.refusal = (400, {"error": "invalid_scope", "error_description": "not granted"})

    answer = world.ask(QUESTION, token=token)

    assert "You have not allowed me to see the accounts and balances" in answer.text
    assert "Permissions page" in answer.text
    assert [step["step"] for step in answer.of("step")] == [2, 3, 4, 5, 3, 4]
    last = answer.steps(4)[-1]
    assert (last["decision"], last["reason"]) == ("deny", "invalid_scope: not granted")
    assert len(world.gateway.calls) == 2


@EITHER_WAY
def test_a_challenge_of_the_account_apis_own_is_followed_too(world: World) -> None:
    document = {"type": PROBLEMS + "insufficient-scope", "status": 403, "detail": "More scope is needed."}
    challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{BOTH}"'}
    world.gateway.instead = [JSONResponse(document, 403, PERMITTED | challenge)]

    assert "EUR 10,200.00" in world.ask(QUESTION).text
    assert [form["scope"] for form in world.token_endpoint.exchanges] == [READ, BOTH]


@pytest.mark.parametrize(
    ("field", "scope"),
    [
        ('Bearer error="insufficient_scope", scope="a b"', "a b"),
        ('bearer scope="a", error="insufficient_scope"', "a"),
        ('Bearer realm="r", error = insufficient_scope , scope=a', "a"),
        ('Bearer error="insufficient_scope", scope="a", DPoP error="x"', "a"),
        ('Bearer error="invalid_token", scope="a"', None),
        ('Bearer scope="a"', None),
        ('Bearer error="insufficient_scope"', None),
        ('Bearer error="insufficient_scope", scope="a", scope="b"', None),
        ('DPoP error="insufficient_scope", scope="a"', None),
        ("Bearer", None),
        ("", None),
    ],
)
def test_only_a_bearer_challenge_for_too_little_scope_names_scope(field: str, scope: str | None) -> None:
    read = demanded_scope(403, ["Basic realm=x", field])
    assert (read if read is None else str(read)) == scope
    assert demanded_scope(401, [field]) is None


SCOPES = st.frozensets(st.sampled_from(["a", "b", "c", "d"])).map(Scope)


@given(asked=SCOPES, demanded=st.none() | SCOPES, own=SCOPES)
def test_what_is_asked_for_is_more_than_before_and_nothing_but_what_is_the_agents_own(
    asked: Scope, demanded: Scope | None, own: Scope
) -> None:
    wider = widened(asked, demanded, own)
    if wider is None:
        assert demanded is None or demanded <= asked or not demanded <= own
    else:
        assert asked < wider == asked | (demanded or Scope())
        assert wider - asked <= own


@given(
    field=st.text(max_size=80), prefix=st.sampled_from(["", "Bearer ", 'Bearer error="insufficient_scope", '])
)
def test_no_challenge_makes_the_reader_fail(field: str, prefix: str) -> None:
    demanded_scope(403, [prefix + field])
