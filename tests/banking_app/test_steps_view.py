"""Under the hood: what the page shows of one question, from the events and records that really came."""

from html.parser import HTMLParser
from typing import Any

import pytest

from banking_app.chat_events import Step
from banking_app.conversations import Trouble, Turn
from banking_app.rendering import render
from banking_app.steps_view import Hood, StepCard, hints, hood
from tests.banking_app.chatbot import AT, balance_answer, claims, step
from tests.issuer import AGENT, CUSTOMER

ID_TOKEN = {"iss": "http://localhost:8502", "sub": CUSTOMER, "aud": "banking-app", "exp": 1_800_000_000}
AUTH_RECORD = {
    "service": "auth_server",
    "step": 4,
    "decision": "permit",
    "jti": "jti-1",
    "sub": CUSTOMER,
    "act": [AGENT],
    "decision_id": "a" * 32,
}
API_RECORD = {
    "service": "account_api",
    "step": 6,
    "decision": "permit",
    "decision_id": "e" * 32,
    "sub": CUSTOMER,
    "act": [AGENT],
}


def turn(*events: tuple[str, Any], **fields: Any) -> Turn:
    steps = tuple(Step.model_validate(data) for kind, data in events if kind == "step")
    default = {"question": "?", "asked_at": AT, "trace_id": "f" * 32, "sign_on": ID_TOKEN, "steps": steps}
    return Turn.model_validate(default | fields)


def card(shown: Hood, number: int, group: int = 1) -> StepCard:
    cards = shown.groups[0].steps if number <= 2 else shown.groups[group].steps
    return next(each for each in cards if each.number == number)


def html(shown: Hood) -> str:
    return render("steps.html", hood=shown, expanded=True)


def test_six_steps_are_shown_with_who_called_whom() -> None:
    shown = hood(turn(*balance_answer()))
    cards = [each for group in shown.groups for each in group.steps]
    assert [(each.number, each.source, each.target) for each in cards] == [
        (1, "You", "Authorization server"),
        (2, "Banking app", "Assistant"),
        (3, "Assistant", "Authorization server"),
        (4, "Authorization server", "Assistant"),
        (5, "Assistant", "Agent gateway"),
        (6, "Agent gateway", "Account API"),
    ]


def test_telling_claims_of_the_delegation_token_are_pointed_out_with_its_remaining_life() -> None:
    (table,) = card(hood(turn(*balance_answer())), 4).tokens
    assert [(line.name, line.value) for line in table.told] == [
        ("sub", CUSTOMER),
        ("act", AGENT),
        ("aud", "https://account.api.example.com"),
        ("scope", "account:read_balance"),
        ("exp", "10:05:00 UTC"),
    ]
    assert table.told[-1].note == "300 s in all, 297 s left at this step"
    assert {line.name for line in table.others} == {"iss", "client_id", "jti", "iat"}


def test_a_limit_of_the_delegation_token_is_pointed_out() -> None:
    limit = [{"type": "account_transfer", "max_amount_minor": 5000}]
    (table,) = card(hood(turn(step(4, token=claims(authorization_details=limit)))), 4).tokens
    [line] = [line for line in table.told if line.name == "authorization_details"]
    assert line.value == '[{"type": "account_transfer", "max_amount_minor": 5000}]'
    assert line.note == "what it limits further: the largest transfer, in minor units"


def test_nested_actors_are_shown_with_the_current_one_first() -> None:
    acting = {"sub": AGENT, "act": {"sub": "https://planner.example.com"}}
    shown = hood(turn(step(4, token=claims(act=acting))))
    assert card(shown, 4).tokens[0].told[1].value == f"{AGENT}, delegated by https://planner.example.com"


def test_both_tokens_of_the_exchange_are_shown_and_told_apart() -> None:
    subject, actor = card(hood(turn(*balance_answer())), 3).tokens
    assert (subject.of_actor, actor.of_actor) == (False, True)
    assert actor.told[0].note == "the assistant itself: who asks"


def test_what_was_asked_does_not_repeat_the_actor_token() -> None:
    facts = dict(card(hood(turn(*balance_answer())), 3).facts)
    assert facts["scope"] == "account:read_balance"
    assert "actor_token" not in facts


def test_each_servers_own_record_stands_at_its_step() -> None:
    unrelated = API_RECORD | {"decision_id": "0" * 32}
    shown = hood(turn(*balance_answer(), records=(unrelated, API_RECORD, AUTH_RECORD)))
    assert [record.service for record in card(shown, 4).records] == ["Authorization server"]
    assert [record.service for record in card(shown, 6).records] == ["Account API"]
    assert dict(card(shown, 6).records[0].lines)["decision_id"] == "e" * 32


def test_refusals_take_the_servers_refusals_in_their_order() -> None:
    events = [step(4, call=1, decision="deny", reason="no"), step(4, call=2, decision="deny", reason="no")]
    records = tuple(AUTH_RECORD | {"decision": "deny", "jti": None, "decision_id": id_ * 32} for id_ in "12")
    shown = hood(turn(*events, records=records))
    ids = [dict(card(shown, 4, group).records[0].lines)["decision_id"] for group in (1, 2)]
    assert ids == ["1" * 32, "2" * 32]


def test_an_exchange_that_did_not_have_to_happen_says_so_and_shows_no_request() -> None:
    three = card(hood(turn(step(3, request={"scope": "account:read_balance"}, reused=True))), 3)
    assert (three.state, three.verdict) == ("spared", "Not needed")
    assert three.says.startswith("Nothing was sent.")
    assert three.facts == ()
    assert three.tokens == ()


def test_reused_token_says_that_its_record_is_an_earlier_one() -> None:
    four = card(hood(turn(step(4, token=claims(), reused=True), records=(AUTH_RECORD,))), 4)
    assert (four.verdict, four.records) == ("Reused", ())
    assert "earlier question" in four.lacking


def test_record_that_could_not_be_had_is_named() -> None:
    shown = hood(turn(*balance_answer(), records_lacking=("account_api",)))
    assert card(shown, 6).lacking == "The record of the Account API cannot be shown right now."
    assert card(shown, 4).lacking == ""


def test_several_tool_calls_are_grouped() -> None:
    second = [step(n, call=2, operation="account.transfer") for n in (3, 4, 5, 6)]
    shown = hood(turn(*balance_answer(), *second))
    assert [group.title for group in shown.groups] == [
        "",
        "Tool call 1: account.read_balance",
        "Tool call 2: account.transfer",
    ]
    assert shown.calls == 2


def test_strip_sums_up_and_a_refusal_outweighs() -> None:
    shown = hood(turn(*balance_answer(), step(5, call=2, decision="deny", reason="scope is missing")))
    assert [item.state for item in shown.strip] == ["permit", "permit", "done", "permit", "deny", "permit"]


def test_strip_shows_what_was_not_reached() -> None:
    shown = hood(turn(step(2), step(3), step(4, decision="deny", reason="no")))
    assert [item.state for item in shown.strip][3:] == ["deny", "waiting", "waiting"]


def test_question_that_was_not_handed_over_is_refused_at_step_two() -> None:
    trouble = Trouble(title="The assistant has no permission", detail="", hint="")
    assert [item.state for item in hood(turn(trouble=trouble)).strip][:2] == ["permit", "deny"]


def test_decision_is_told_by_sign_and_word_and_not_by_colour_alone() -> None:
    page = html(hood(turn(*balance_answer(), step(5, call=2, decision="deny", reason="scope is missing"))))
    assert "✕</span> Refused" in page
    assert "✓</span> Permitted" in page
    assert 'Gateway<span class="sr">, refused' in page


@pytest.mark.parametrize("field", ["title", "from", "to", "operation", "reason", "hint", "decision_id"])
def test_nothing_from_a_service_becomes_markup(field: str) -> None:
    evil = "<img src=x onerror=alert(1)><a href='https://evil.example'>"
    shown = turn(step(5, **{field: evil}))
    under_answer = "".join(render("hint.html", hint=hint) for hint in hints(shown))
    assert markup_of(html(hood(shown)) + under_answer) == []


def test_claims_and_records_never_become_markup() -> None:
    evil = "</pre></dl><script>alert(1)</script><a href='javascript:x'>"
    wrong = claims(**{"scope": evil, evil: evil, "act": {"sub": evil}})
    record = API_RECORD | {"reason": evil, "service": evil}
    events = [step(4, token=wrong), step(6, record_id="e" * 32, request={evil: evil})]
    assert markup_of(html(hood(turn(*events, records=(record,))))) == []


@pytest.mark.parametrize("value", [None, "soon", -1, 1e400, True, [], {}])
def test_claim_of_an_impossible_time_is_shown_as_it_is(value: Any) -> None:
    shown = hood(turn(step(4, token=claims(exp=value, iat=value))))
    assert html(shown)


def test_call_that_nobody_decided_on_is_neither_permitted_nor_refused() -> None:
    five = card(hood(turn(step(5, decision=None, reason="the gateway did not answer"))), 5)
    assert (five.state, five.verdict) == ("done", "No decision")


@pytest.mark.parametrize(
    ("number", "strip"),
    [
        (3, ["permit", "permit", "failed", "waiting", "waiting", "waiting"]),
        (5, ["permit", "permit", "done", "permit", "failed", "waiting"]),
        (6, ["permit", "permit", "done", "permit", "permit", "failed"]),
    ],
)
def test_step_at_which_nobody_answered_has_failed_and_what_follows_is_not_reached(
    number: int, strip: list[str]
) -> None:
    before = [event for event in balance_answer() if event[0] == "step" and event[1]["step"] < number]
    shown = hood(turn(*before, step(number, decision=None, failed=True, reason="It does not answer.")))
    assert [item.state for item in shown.strip] == strip
    failed = card(shown, number)
    assert (failed.state, failed.verdict, failed.reason) == ("failed", "No answer", "It does not answer.")


def test_failure_is_told_by_sign_and_word_and_its_card_is_open() -> None:
    page = html(hood(turn(step(5, decision=None, failed=True, reason="It does not answer."))))
    assert "!</span> No answer" in page
    assert 'Gateway<span class="sr">, no answer' in page
    assert '<details class="step failed" open>' in page


def test_failure_outweighs_what_went_well_and_a_refusal_outweighs_a_failure() -> None:
    failed = step(5, call=2, decision=None, failed=True)
    refused = step(5, call=3, decision="deny")
    assert hood(turn(*balance_answer(), failed)).strip[4].state == "failed"
    assert hood(turn(*balance_answer(), failed, refused)).strip[4].state == "deny"


def test_hints_of_all_tool_calls_that_ended_badly_are_given_once_each() -> None:
    events = [
        step(5, call=1, decision=None, failed=True, hint="The gateway did not answer."),
        step(5, call=2, decision=None, failed=True, hint="The gateway did not answer."),
        step(4, call=3, decision="deny", hint="The customer did not give this permission."),
    ]
    assert hints(turn(*events)) == (
        "The gateway did not answer.",
        "The customer did not give this permission.",
    )


def test_refusal_that_the_assistant_got_over_needs_no_hint() -> None:
    again = [step(n) for n in (3, 4, 5, 6)]
    assert hints(turn(step(5, decision="deny", hint="The gateway's answer is no."), *again)) == ()


def test_answer_in_which_all_went_well_has_no_hint() -> None:
    assert hints(turn(*balance_answer())) == ()


def test_service_that_is_not_ours_is_shown_by_its_own_name() -> None:
    assert card(hood(turn(step(5, to="PingGateway"))), 5).target == "PingGateway"


def markup_of(page: str) -> list[str]:
    """Return the elements in a page that could only come from what a service said."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag in {"script", "img", "a", "iframe"} or any(name.startswith("on") for name, _ in attrs):
                found.append(tag)

    Reader().feed(page)
    return found
