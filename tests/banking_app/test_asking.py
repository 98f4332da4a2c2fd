"""One question to the assistant: what is sent, what of the stream is taken, what is kept, how it fails."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from banking_app.chat_client import ChatClient
from banking_app.chat_events import ChatEvent, Text
from banking_app.conversations import MAX_TURNS, Turn
from banking_app.failures import ServiceDown
from tests.banking_app.chatbot import AT, balance_answer, claims, step
from tests.banking_app.conftest import BankingApp, Records, Serve
from tests.issuer import CUSTOMER

QUESTION = "What is my balance?"
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
BEGUN = 'event: text\ndata: {"delta": "So far"}\n\n'


class Asker:
    """A signed-on customer who asks."""

    def __init__(self, app: BankingApp, browser: httpx2.Client) -> None:
        self.app = app
        self.session_id = app.session_id(browser)
        session = app.services.sessions.find(self.session_id)
        assert session is not None
        self.session = session

    def turns(self, question: str = QUESTION) -> list[Turn]:
        """Ask, and return the turn in each state that it went through."""
        return list(self.app.services.assistant.ask(self.session_id, self.session, question))

    def ask(self, question: str = QUESTION) -> Turn:
        """Ask, and return the finished turn."""
        return self.turns(question)[-1]

    def kept(self) -> tuple[Turn, ...]:
        """Return what is kept of the customer's conversation."""
        return self.app.services.conversations.of(CUSTOMER).turns


@contextmanager
def silent_after(begin: bytes) -> Iterator[str]:
    """Yield the address of a server that takes a connection, sends this, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        connection = pool.submit(server.accept)
        connection.add_done_callback(lambda taken: taken.result()[0].sendall(begin))
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        connection.result()[0].close()


@pytest.fixture
def asker(app: BankingApp, signed_on: httpx2.Client) -> Asker:
    app.services.conversations.forget(CUSTOMER)
    app.chatbot.events = balance_answer()
    return Asker(app, signed_on)


def test_question_goes_to_the_chatbot_with_the_subject_token(app: BankingApp, asker: Asker) -> None:
    asker.ask()
    (asked,) = app.chatbot.asked
    assert asked["message"] == QUESTION
    assert asked["authorization"] == f"Bearer {app.services.tokens.subject_token(asker.session_id)}"


def test_each_question_is_one_trace_of_its_own(app: BankingApp, asker: Asker) -> None:
    turns = [asker.ask(), asker.ask()]
    assert [turn.trace_id for turn in turns] == [asked["trace_id"] for asked in app.chatbot.asked]
    assert turns[0].trace_id != turns[1].trace_id


def test_answer_grows_as_it_comes(asker: Asker) -> None:
    answers = [turn.answer for turn in asker.turns()]
    assert answers[0] == ""
    assert "The balance of Checking is " in answers
    assert answers[-1] == "The balance of Checking is €1,234.56."


def test_every_step_is_taken_in_order(asker: Asker) -> None:
    assert [event.step for event in asker.ask().steps] == [2, 3, 4, 5, 6]


def test_handing_over_is_recorded_without_the_questions_text(asker: Asker, records: Records) -> None:
    records()
    turn = asker.ask("A secret question")
    (record,) = records()
    assert (record["step"], record["decision"], record["sub"]) == (2, "permit", CUSTOMER)
    assert record["trace_id"] == turn.trace_id
    assert "secret" not in json.dumps(record)


def test_own_records_of_both_servers_are_fetched_by_trace(app: BankingApp, asker: Asker) -> None:
    app.provider.records_answer = [{"service": "auth_server", "step": 4, "jti": "jti-1"}]
    turn = asker.ask()
    services = {record["service"] for record in turn.records}
    assert "auth_server" in services
    assert {record["trace_id"] for record in turn.records} == {turn.trace_id}
    assert turn.records_lacking == ()


def test_conversation_is_kept_for_a_reload_and_unreadable_at_rest(app: BankingApp, asker: Asker) -> None:
    turn = asker.ask("Something very private")
    assert asker.kept() == (turn,)
    files = [file for file in app.settings.data_dir.iterdir() if ".sqlite" in file.name]
    assert not [file for file in files if b"very private" in file.read_bytes()]


def test_conversation_survives_signing_on_again(
    app: BankingApp, asker: Asker, signed_on: httpx2.Client
) -> None:
    asker.ask()
    app.provider.end_sessions()
    app.clock.advance(seconds=901)
    over = asker.ask("And my savings?")
    assert over.trouble is not None
    assert over.trouble.way_on == "sign_on"
    app.sign_on(signed_on, "/login?next=/assistant")
    assert [turn.question for turn in asker.kept()] == [QUESTION, "And my savings?"]


def test_conversation_keeps_a_bounded_number_of_turns(asker: Asker) -> None:
    for number in range(MAX_TURNS + 3):
        asker.ask(f"Question {number}")
    assert asker.kept()[0].question == "Question 3"
    assert len(asker.kept()) == MAX_TURNS


def test_conversation_drops_its_oldest_turns_when_it_grows_too_large(app: BankingApp, asker: Asker) -> None:
    app.chatbot.events = [step(5, request={"path": "x" * 200_000}), ("done", {"trace_id": "0" * 32})]
    for number in range(8):
        asker.ask(f"Question {number}")
    kept = [turn.question for turn in asker.kept()]
    assert kept[-1] == "Question 7"
    assert 0 < len(kept) < 8


def test_question_that_nobody_waits_for_is_kept_as_far_as_it_came(app: BankingApp, asker: Asker) -> None:
    with closing(app.services.assistant.ask(asker.session_id, asker.session, QUESTION)) as turns:
        seen = [next(turns) for _ in range(3)]
    assert asker.kept() == (seen[-1],)
    assert len(seen[-1].steps) == 2


def test_one_customer_never_sees_another_ones_conversation(app: BankingApp, asker: Asker) -> None:
    asker.ask()
    assert app.services.conversations.of("maria@example.com").turns == ()


def test_missing_permission_is_told_with_the_way_to_allow(
    app: BankingApp, asker: Asker, records: Records
) -> None:
    app.provider.granted = False
    records()
    turn = asker.ask()
    assert turn.trouble is not None
    assert (turn.trouble.way_on, turn.steps) == ("allow", ())
    assert app.chatbot.asked == []
    assert [(record["step"], record["decision"]) for record in records()] == [(2, "deny")]


def test_refusal_by_the_authorization_server_is_shown_as_the_step_that_it_is(
    app: BankingApp, asker: Asker
) -> None:
    refusal = step(
        4,
        decision="deny",
        reason="invalid_request: the customer has withdrawn the permission",
        hint="Give it on the Permissions page, then ask again.",
    )
    app.chatbot.events = [
        step(2),
        step(3),
        refusal,
        ("text", {"delta": "I may not."}),
        ("done", {"trace_id": ""}),
    ]
    turn = asker.ask()
    assert turn.trouble is None
    assert [event.decision for event in turn.steps] == ["permit", None, "deny"]
    assert turn.steps[-1].hint == "Give it on the Permissions page, then ask again."
    assert asker.kept() == (turn,)


def test_step_that_nobody_answered_is_kept_with_its_hint(app: BankingApp, asker: Asker) -> None:
    failed = step(5, decision=None, failed=True, hint="The gateway did not answer. See its log.")
    app.chatbot.events = [step(2), step(3), step(4), failed, ("done", {"trace_id": "0" * 32})]
    asker.ask()
    [kept] = asker.kept()
    assert (kept.steps[-1].failed, kept.steps[-1].decision) == (True, None)
    assert kept.steps[-1].hint == "The gateway did not answer. See its log."


def test_error_of_the_chatbot_is_told_in_its_own_words(app: BankingApp, asker: Asker) -> None:
    error = {
        "title": "The model does not answer",
        "detail": "Please ask again.",
        "hint": "See OPENAI_BASE_URL.",
    }
    app.chatbot.events = [step(2), ("error", error), ("done", {"trace_id": "0" * 32})]
    trouble = asker.ask().trouble
    assert trouble is not None
    assert (trouble.title, trouble.detail, trouble.hint) == tuple(error.values())


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"title": "down"}, 503),
        PlainTextResponse("<html>", 200),
        JSONResponse({"detail": "The subject token has expired."}, 401),
        StreamingResponse(iter(["event: text\ndata: {"]), media_type="text/event-stream"),
        StreamingResponse(iter([]), media_type="text/event-stream"),
        StreamingResponse(iter(["data: " + "x" * 400_000]), media_type="text/event-stream"),
    ],
    ids=["503", "no stream", "401", "cut off", "empty", "too large"],
)
def test_unusable_answer_of_the_chatbot_is_told_and_recorded(
    app: BankingApp, asker: Asker, records: Records, answer: Any
) -> None:
    records()
    app.chatbot.answer = answer
    turn = asker.ask()
    assert turn.trouble is not None
    assert "chatbot" in turn.trouble.hint
    assert [record["decision"] for record in records()] == ["deny"]


@pytest.mark.parametrize(
    "event",
    [
        ("step", "not json"),
        ("step", {"step": 7}),
        ("step", "[]"),
        ("text", {"delta": 1}),
        ("text", "[" * 5_000),
    ],
    ids=str,
)
def test_malformed_event_ends_the_answer_and_keeps_what_came_before(
    app: BankingApp, asker: Asker, event: tuple[str, Any]
) -> None:
    app.chatbot.events = [("text", {"delta": "So far so good."}), event, ("done", {"trace_id": "0" * 32})]
    turn = asker.ask()
    assert turn.answer == "So far so good."
    assert turn.trouble is not None


@pytest.mark.parametrize("granted", [True, False])
@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("suspended", "has suspended the assistant"),
        ("retired", "retired"),
        ("draft", "not put the assistant"),
    ],
)
def test_agent_that_the_bank_has_stopped_is_told_as_such_and_no_consent_is_offered(
    app: BankingApp, asker: Asker, records: Records, state: str, said: str, *, granted: bool
) -> None:
    records()
    app.provider.granted = granted
    app.provider.agent_state = state
    trouble = asker.ask().trouble
    assert trouble is not None
    assert trouble.title == "The bank has stopped the assistant"
    assert said in trouble.detail
    assert "not allowed" not in trouble.detail
    assert trouble.way_on == "try_again"
    assert state in trouble.hint
    assert ("agents resume https://bank-agent.example.com" in trouble.hint) == (state != "retired")
    assert app.chatbot.asked == []
    assert [(record["step"], record["decision"]) for record in records()] == [(2, "deny")]


def test_agent_that_is_stopped_after_it_got_the_question_is_told_as_such(
    app: BankingApp, asker: Asker
) -> None:
    refused = step(4, decision="deny", reason="invalid_client: this agent is not active but suspended")
    app.chatbot.events = [step(2), step(3), refused, ("text", {"delta": "I could not do that."})]
    app.chatbot.events = [*app.chatbot.events, ("done", {"trace_id": "0" * 32})]
    app.services.tokens.subject_token(asker.session_id)
    app.provider.agent_state = "suspended"
    turn = asker.ask()
    assert turn.answer == "I could not do that."
    assert turn.trouble is not None
    assert "has suspended the assistant" in turn.trouble.detail
    app.provider.agent_state = "active"
    assert asker.ask().trouble is None


@pytest.mark.parametrize("offered", [True, False])
def test_missing_permission_of_an_active_agent_still_offers_consent(
    serve_app: Serve, *, offered: bool
) -> None:
    changed = {} if offered else {"grant_management_endpoint": ""}
    with serve_app(**changed) as app, app.browser() as browser:
        app.sign_on(browser)
        app.provider.granted = False
        trouble = Asker(app, browser).ask().trouble
    assert trouble is not None
    assert trouble.way_on == "allow"


def test_question_that_is_too_long_is_told_with_its_length_and_sent_nowhere(
    app: BankingApp, asker: Asker, records: Records
) -> None:
    records()
    turn = asker.ask("é" * 2_001)
    assert turn.trouble is not None
    assert turn.trouble.title == "The question is too long"
    assert turn.trouble.detail == "A question may have 2,000 characters at most; this one has 2,001."
    assert turn.question == "é" * 2_000 + " …"
    assert app.chatbot.asked == []
    assert [(record["step"], record["decision"]) for record in records()] == [(2, "deny")]


def test_question_as_long_as_allowed_is_asked(app: BankingApp, asker: Asker) -> None:
    turn = asker.ask("é" * 2_000)
    assert (turn.trouble, turn.question) == (None, "é" * 2_000)
    assert app.chatbot.asked[0]["message"] == turn.question


@pytest.mark.parametrize(
    ("begin", "seen"),
    [("", []), (HEAD, []), (HEAD + BEGUN, [Text(delta="So far")])],
    ids=["nothing", "only a head", "half an answer"],
)
def test_chatbot_that_falls_silent_is_given_up(begin: str, seen: list[ChatEvent]) -> None:
    came: list[ChatEvent] = []
    with silent_after(begin.encode()) as url, httpx2.Client(verify=False) as http:
        chat = ChatClient(url, http, longest_silence_seconds=0.3)
        with pytest.raises(ServiceDown) as failure:
            came.extend(chat.ask("a-token", QUESTION))
    assert came == seen
    assert "The chatbot was silent for 0.3 seconds." in failure.value.hint


def test_event_of_a_kind_that_is_not_known_yet_is_passed_over(app: BankingApp, asker: Asker) -> None:
    app.chatbot.events = [("approval", {"id": 1}), *balance_answer()]
    assert asker.ask().trouble is None


def test_answer_without_an_end_is_told(app: BankingApp, asker: Asker) -> None:
    app.chatbot.events = [("text", {"delta": "The balance"})]
    turn = asker.ask()
    assert turn.answer == "The balance"
    assert turn.trouble is not None
    assert turn.trouble.title == "Not available right now"


def test_encoded_token_in_an_event_never_reaches_the_screen(app: BankingApp, asker: Asker) -> None:
    token = app.services.tokens.subject_token(asker.session_id)
    app.chatbot.events = [
        step(3, request={"subject_token": token, "nested": [{"a": f"Bearer {token}"}]}, token=claims()),
        ("text", {"delta": f"Your token is {token}"}),
        ("done", {"trace_id": "0" * 32}),
    ]
    kept = asker.ask().model_dump_json()
    assert token not in kept
    assert token.split(".")[2] not in kept
    assert "not shown" in kept


def test_records_that_cannot_be_had_are_named_and_the_answer_stays(app: BankingApp, asker: Asker) -> None:
    broken = [{"service": "auth_server"}]
    app.provider.records_answer = broken * 2
    app.clock.advance(seconds=901)
    app.services.tokens.subject_token(asker.session_id)
    app.provider.token_answer = JSONResponse({}, 503)
    turn = asker.ask()
    assert turn.answer.startswith("The balance")
    assert turn.trouble is None
    assert turn.records_lacking == ("auth_server", "account_api")


def test_conversation_can_be_cleared_here_and_at_the_chatbot(app: BankingApp, asker: Asker) -> None:
    asker.ask()
    app.services.assistant.forget(asker.session_id, CUSTOMER)
    assert asker.kept() == ()
    assert app.chatbot.forgotten == 1


def test_after_a_withdrawal_the_chatbot_is_told_to_drop_what_it_holds(app: BankingApp, asker: Asker) -> None:
    asker.ask()
    app.services.assistant.end_delegation(asker.session_id)
    assert app.chatbot.forgotten == 1
    assert len(asker.kept()) == 1


def test_withdrawal_does_not_fail_when_the_chatbot_is_down(serve_app: Serve) -> None:
    with serve_app(chatbot_url="http://127.0.0.1:1") as app, app.browser() as browser:
        app.sign_on(browser)
        app.services.assistant.end_delegation(app.session_id(browser))


def test_turns_that_end_at_once_in_many_tabs_are_all_kept(asker: Asker) -> None:
    with ThreadPoolExecutor(8) as tabs:
        list(tabs.map(asker.ask, [f"Question {number}" for number in range(16)]))
    assert {turn.question for turn in asker.kept()} == {f"Question {number}" for number in range(16)}


def test_time_of_a_step_is_the_chatbots_own(asker: Asker) -> None:
    assert {event.at for event in asker.ask().steps} == {AT}
