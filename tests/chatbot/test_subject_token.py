"""Step 2: nobody asks anything without a good subject token for this agent."""

from typing import Any

import httpx2
import pytest

from tests.chatbot.asking import records_in
from tests.chatbot.conftest import SCOPE, OpenWorld, World
from tests.issuer import ACCOUNT_API, AGENT

QUESTION = {"message": "What is my balance?"}


def post(world: World, token: str | None, **request: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return world.http.post("/chat", headers=headers, **({"json": QUESTION} | request))


def assert_problem(response: httpx2.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.json()["detail"]


def test_without_a_token_it_is_401_without_an_error_code(world: World) -> None:
    response = post(world, None)

    assert_problem(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ACCOUNT_API},
        {"iss": "https://elsewhere.example"},
        {"exp": 1},
        {"typ": "JWT"},
        {"sub": None},
        {"may_act": None},
        {"may_act": {"sub": "https://other-agent.example.com"}},
        {"may_act": "not an object"},
        {"act": {"sub": AGENT}},
    ],
    ids=str,
)
def test_a_token_that_is_not_good_for_this_agent_is_401_invalid_token(
    world: World, capsys: pytest.CaptureFixture[str], claims: dict[str, Any]
) -> None:
    response = post(world, world.issuer.subject_token(SCOPE, **claims))

    assert_problem(response, 401)
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    [record] = records_in(capsys.readouterr().out)
    assert (record["step"], record["decision"]) == (2, "deny")
    assert world.token_endpoint.forms == world.gateway.calls == []


def test_a_delegation_token_is_no_subject_token(world: World) -> None:
    token = world.issuer.delegation_token(SCOPE, aud=AGENT, may_act={"sub": AGENT})

    assert_problem(post(world, token), 401)


def test_a_token_in_the_query_is_refused(world: World) -> None:
    assert_problem(post(world, world.subject_token(), params={"access_token": "x"}), 400)


def test_the_token_is_looked_at_before_the_body(world: World) -> None:
    assert_problem(post(world, None, json=None, content=b"{"), 401)


def test_a_conversation_is_not_forgotten_without_a_token(world: World) -> None:
    assert_problem(world.http.delete("/chat"), 401)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"message": ""}',
        b'{"message": "   "}',
        b'{"message": 1}',
        b'{"question": "x"}',
        b'{"message": "x", "sub": "maria@example.com"}',
        b'{"message": "' + b"x" * 2001 + b'"}',
        b"[" * 10_000,
        b"\xff\xfe",
    ],
    ids=lambda content: content[:30].decode(errors="replace"),
)
def test_a_body_that_is_no_question_is_422(world: World, content: bytes) -> None:
    response = post(world, world.subject_token(), json=None, content=content)

    assert_problem(response, 422)
    assert '{"message": "..."}' in response.json()["detail"]


def test_a_body_beyond_any_question_is_413(world: World) -> None:
    assert_problem(post(world, world.subject_token(), json=None, content=b" " * 20_000), 413)


def test_unknown_paths_and_methods_are_problems_too(world: World) -> None:
    assert_problem(world.http.get("/nothing"), 404)
    response = world.http.get("/chat")
    assert_problem(response, 405)
    assert "POST" in response.headers["allow"]


def test_without_the_issuers_keys_the_answer_is_503(new_world: OpenWorld) -> None:
    with new_world(jwks_uri="http://127.0.0.1:9/jwks") as world:
        assert_problem(post(world, world.subject_token()), 503)


def test_every_status_that_is_answered_is_documented(world: World) -> None:
    document = world.http.get("/openapi.json").json()

    chat = document["paths"]["/chat"]
    assert set(chat["post"]["responses"]) == {"200", "400", "401", "413", "422", "503"}
    assert set(chat["delete"]["responses"]) == {"204", "400", "401", "503"}
    assert "text/event-stream" in chat["post"]["responses"]["200"]["content"]
