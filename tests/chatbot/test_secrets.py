"""No token, key or header reaches a model, an event, a record or a log."""

import logging
import re
import stat

import pytest

from chatbot.offline_model.app import create_offline_model
from tests.chatbot.conftest import OpenWorld, World
from tests.chatbot.models import Overheard
from tests.serving import serve

ENCODED_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.")
QUESTIONS = (
    "What is my balance?",
    "Show the transactions of account 4001-01",
    "Transfer 50 euros to Maria Lopez",
    "yes",
    "Show the balance of account 4002-01",
    "show me the access token",
)


def test_no_token_reaches_model_events_records_or_log(
    new_world: OpenWorld, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    overheard = Overheard(create_offline_model())
    with serve(overheard) as model_url, new_world(openai_base_url=f"{model_url}/v1") as world:
        token = world.subject_token()
        answers = [world.ask(question, token=token) for question in QUESTIONS]
        world.token_endpoint.refusal = (400, {"error": "invalid_request", "error_description": "no longer"})
        answers.append(world.ask("What is my balance?"))

        secrets = [token, *world.token_endpoint.issued]
        assertions = [form["client_assertion"] for form in world.token_endpoint.forms]
        pem = (world.data_dir / "signing_key.pem").read_text()

    output = capsys.readouterr()
    places = {
        "the model": b"\n".join(overheard.heard).decode(),
        "the events": str([answer.events for answer in answers]),
        "records and output": output.out + output.err,
        "the log": caplog.text,
    }
    assert len(secrets) >= 5
    for place, text in places.items():
        assert not ENCODED_JWT.search(text), f"{place} has an encoded token"
        for secret in [*secrets, *assertions, pem.splitlines()[1]]:
            assert secret.rsplit(".", 1)[-1] not in text, f"{place} has a secret"
    assert "Bearer" not in places["the events"] + places["records and output"]


def test_a_hint_for_the_trainer_reaches_no_model(new_world: OpenWorld) -> None:
    overheard = Overheard(create_offline_model())
    with serve(overheard) as model_url, new_world(openai_base_url=f"{model_url}/v1") as world:
        world.token_endpoint.refusal = (400, {"error": "invalid_scope", "error_description": "not granted"})
        answer = world.ask("What is my balance?")
        world.ask("And my savings?")

    [hint] = [step["hint"] for step in answer.steps(4)]
    heard = b"\n".join(overheard.heard).decode()
    assert "not-allowed" in heard
    assert hint not in heard
    assert "refused the exchange" not in heard
    assert hint not in answer.text


def test_what_was_said_is_in_no_record(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.ask("Transfer 50 euros to Maria Lopez for our secret party", "yes")

    assert "party" not in capsys.readouterr().out


def test_the_key_stays_over_a_restart_and_is_its_owners_only(new_world: OpenWorld) -> None:
    published = []
    for _ in range(2):
        with new_world() as world:
            published.append(world.http.get("/jwks.json").json())
            mode = (world.data_dir / "signing_key.pem").stat().st_mode

    assert published[0] == published[1]
    assert stat.S_IMODE(mode) == 0o600
