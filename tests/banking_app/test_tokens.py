"""Tokens per session: for the right resource, renewed in time, and each refresh token sent once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import jwt
import pytest
from starlette.responses import JSONResponse

from banking_app.failures import PermissionMissing, Refused, ServiceDown, SessionOver
from tests.banking_app.conftest import BankingApp, Serve
from tests.issuer import ACCOUNT_API, AGENT


def audience(token: str) -> Any:
    return jwt.decode(token, options={"verify_signature": False})["aud"]


@pytest.fixture
def session_id(app: BankingApp, signed_on: httpx2.Client) -> str:
    return app.session_id(signed_on)


def test_each_token_is_for_its_own_resource(app: BankingApp, session_id: str) -> None:
    tokens = app.services.tokens
    assert audience(tokens.app_token(session_id)) == ACCOUNT_API
    assert audience(tokens.subject_token(session_id)) == AGENT
    assert audience(tokens.issuer_token(session_id)) == app.provider.url


def test_token_serves_until_a_minute_before_its_end(app: BankingApp, session_id: str) -> None:
    first = app.services.tokens.app_token(session_id)
    app.clock.advance(seconds=240)
    assert app.services.tokens.app_token(session_id) == first
    app.clock.advance(seconds=1)
    assert app.services.tokens.app_token(session_id) != first


def test_many_threads_never_send_a_refresh_token_twice(app: BankingApp, session_id: str) -> None:
    tokens = app.services.tokens
    wanted = [tokens.app_token, tokens.subject_token, tokens.issuer_token] * 8
    for _ in range(3):
        app.clock.advance(seconds=901)
        with ThreadPoolExecutor(24) as pool:
            given = list(pool.map(lambda token: token(session_id), wanted))
        assert len(set(given)) == 3
    sent = [asked["refresh_token"] for asked in app.provider.token_requests if "refresh_token" in asked]
    assert len(sent) == len(set(sent)) == 9
    assert not app.provider.reused


def test_refresh_that_fails_for_want_of_an_answer_can_be_tried_again(
    app: BankingApp, session_id: str
) -> None:
    app.provider.token_answer = JSONResponse({}, 503)
    with pytest.raises(ServiceDown):
        app.services.tokens.subject_token(session_id)
    app.provider.token_answer = None
    assert audience(app.services.tokens.subject_token(session_id)) == AGENT


def test_refresh_token_that_is_not_rotated_stays_in_use(app: BankingApp, session_id: str) -> None:
    answer = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300}
    app.provider.token_answer = JSONResponse(answer)
    assert app.services.tokens.app_token(session_id) == "opaque"
    app.provider.token_answer = None
    assert audience(app.services.tokens.subject_token(session_id)) == AGENT


def test_invalid_grant_ends_the_session(app: BankingApp, session_id: str) -> None:
    app.provider.end_sessions()
    with pytest.raises(SessionOver):
        app.services.tokens.subject_token(session_id)
    assert app.services.sessions.find(session_id) is None


def test_missing_permission_is_told_apart_and_ends_nothing(app: BankingApp, session_id: str) -> None:
    app.provider.granted = False
    with pytest.raises(PermissionMissing):
        app.services.tokens.subject_token(session_id)
    assert audience(app.services.tokens.issuer_token(session_id)) == app.provider.url
    app.provider.granted = True
    assert audience(app.services.tokens.subject_token(session_id)) == AGENT


def test_other_refusal_names_its_code_for_the_trainer(app: BankingApp, session_id: str) -> None:
    app.provider.token_answer = JSONResponse({"error": "invalid_client"}, 401)
    with pytest.raises(Refused) as refused:
        app.services.tokens.app_token(session_id)
    assert "invalid_client" in refused.value.hint


def test_session_that_is_signed_out_during_a_refresh_does_not_come_back(
    app: BankingApp, session_id: str
) -> None:
    session = app.services.sessions.find(session_id)
    assert session is not None
    app.services.sessions.end(session_id)
    assert not app.services.sessions.replace(session_id, session)
    assert app.services.sessions.find(session_id) is None


def test_failure_text_holds_no_token(serve_app: Serve) -> None:
    with serve_app() as app, app.browser() as browser:
        app.sign_on(browser)
        app.provider.token_answer = JSONResponse({"error": "invalid_request"}, 400)
        with pytest.raises(Refused) as refused:
            app.services.tokens.subject_token(app.session_id(browser))
        said = f"{refused.value} {refused.value.detail} {refused.value.hint} {refused.value!r}"
        assert not any(token in said for token in app.provider.issued)
