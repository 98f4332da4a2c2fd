"""Signing out: only by the customer's own wish, here and at the provider, leaving nothing behind."""

import httpx2
import pytest

from banking_app.conversations import Turn
from banking_app.failures import SessionOver
from tests.banking_app.conftest import BankingApp, Records, Serve, cookie, query, text_of
from tests.issuer import CUSTOMER


def sign_out_link(app: BankingApp, browser: httpx2.Client) -> str:
    session = app.services.sessions.find(app.session_id(browser))
    assert session is not None
    return f"/logout?csrf_token={session.csrf_token}"


def test_link_of_our_own_page_signs_out_here_and_at_the_provider(
    app: BankingApp, signed_on: httpx2.Client, records: Records
) -> None:
    session_id = app.session_id(signed_on)
    session = app.services.sessions.find(session_id)
    assert session is not None
    answer = signed_on.get(sign_out_link(app, signed_on))
    assert answer.headers["location"].startswith(f"{app.provider.url}/end-session?")
    assert query(answer.headers["location"]) == {
        "id_token_hint": [session.id_token],
        "client_id": ["banking-app"],
        "post_logout_redirect_uri": [f"{app.url}/"],
    }
    assert app.provider.revoked == [session.refresh_token]
    assert app.services.sessions.find(session_id) is None
    assert "Max-Age=0" in cookie(answer, "banking_session")
    assert records()[-1]["operation"] == "sign_out"


@pytest.mark.parametrize("address", ["/logout", "/logout?csrf_token=", "/logout?csrf_token=guessed%C3%A9"])
def test_link_of_anybody_elses_page_asks_first(
    app: BankingApp, signed_on: httpx2.Client, address: str
) -> None:
    page = signed_on.get(address)
    assert page.status_code == 200
    assert "Sign out?" in text_of(page)
    assert app.services.sessions.find(app.session_id(signed_on)) is not None


def test_form_of_our_own_page_signs_out(app: BankingApp, signed_on: httpx2.Client) -> None:
    csrf_token = sign_out_link(app, signed_on).split("=")[1]
    assert csrf_token in signed_on.get("/logout").text
    answer = signed_on.post("/logout", data={"csrf_token": csrf_token})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{app.provider.url}/end-session?")


@pytest.mark.parametrize("form", [{}, {"csrf_token": "guessed"}, {"csrf_token": "a" * 5_000}])
def test_form_of_anybody_elses_page_asks_first(
    app: BankingApp, signed_on: httpx2.Client, form: dict[str, str]
) -> None:
    assert "Sign out?" in text_of(signed_on.post("/logout", data=form))
    assert app.services.sessions.find(app.session_id(signed_on)) is not None


def test_confirmation_may_only_be_sent_to_us_and_on_to_the_provider(
    app: BankingApp, signed_on: httpx2.Client
) -> None:
    policy = signed_on.get("/logout").headers["content-security-policy"]
    assert f"form-action 'self' {app.provider.url}" in policy


def test_another_sessions_token_does_not_sign_out(app: BankingApp, signed_on: httpx2.Client) -> None:
    with app.browser() as attacker:
        app.sign_on(attacker)
        link = sign_out_link(app, attacker)
    assert "Sign out?" in text_of(signed_on.get(link))


def test_signing_out_without_a_session_leads_to_the_public_page(browser: httpx2.Client) -> None:
    assert browser.get("/logout").headers["location"] == "/"


def test_signing_out_works_while_the_provider_is_down(serve_app: Serve, records: Records) -> None:
    with serve_app(revocation_endpoint="http://127.0.0.1:1/revoke") as app, app.browser() as browser:
        app.sign_on(browser)
        session_id = app.session_id(browser)
        assert browser.get(sign_out_link(app, browser)).status_code == 303
        assert app.services.sessions.find(session_id) is None
        assert "not revoked" in records()[-1]["reason"]


def test_signing_out_deletes_the_conversation_here_and_at_the_chatbot(
    app: BankingApp, signed_on: httpx2.Client
) -> None:
    app.services.tokens.subject_token(app.session_id(signed_on))
    turn = Turn(question="What is my balance?", asked_at=app.clock(), trace_id="a" * 32)
    app.services.conversations.add(CUSTOMER, turn)
    signed_on.get(sign_out_link(app, signed_on))
    assert app.services.conversations.of(CUSTOMER).turns == ()
    assert app.chatbot.forgotten == 1


def test_nothing_can_be_had_with_the_cookie_of_a_session_that_was_signed_out(
    app: BankingApp, signed_on: httpx2.Client
) -> None:
    session_id = app.session_id(signed_on)
    signed_on.get(sign_out_link(app, signed_on))
    with pytest.raises(SessionOver):
        app.services.tokens.app_token(session_id)
