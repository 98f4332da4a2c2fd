"""Sessions at rest: unreadable in the database, alive over restarts, ended by time."""

import stat
from pathlib import Path

import httpx2
import pytest

from banking_app.failures import SessionOver
from tests.banking_app.conftest import BankingApp, Serve
from tests.issuer import CUSTOMER


def data(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if ".sqlite" in file.name)


def test_no_token_cookie_or_name_is_readable_in_the_database(
    app: BankingApp, signed_on: httpx2.Client
) -> None:
    session_id = app.session_id(signed_on)
    for token in (app.services.tokens.subject_token, app.services.tokens.app_token):
        token(session_id)
    signed_on.get("/login")
    stored = data(app.settings.data_dir)
    secrets = [*app.provider.issued, session_id, signed_on.cookies["banking_sign_on"]]
    secrets += [app.provider.authorize_request["state"], app.provider.authorize_request["nonce"]]
    assert len(secrets) >= 11
    assert not [secret for secret in secrets if secret.encode() in stored]
    assert b"Alex Morgan" not in stored
    assert CUSTOMER.encode() not in stored


def test_keys_are_for_their_owner_only(app: BankingApp) -> None:
    for name in ("encryption.key", "client.key.pem"):
        assert stat.S_IMODE((app.settings.data_dir / name).stat().st_mode) == 0o600


def test_session_and_key_survive_a_restart(serve_app: Serve) -> None:
    with serve_app() as app, app.browser() as browser:
        app.sign_on(browser)
        session_id, keys = app.session_id(browser), app.provider.app_jwks
    with serve_app() as app:
        assert app.provider.app_jwks == keys
        assert app.services.tokens.subject_token(session_id) in app.provider.issued
        assert not app.provider.reused


def test_sign_on_that_began_before_a_restart_ends_after_it(serve_app: Serve) -> None:
    with serve_app() as app, app.browser() as browser:
        back = app.come_back(browser, "/login?next=/assistant")
        cookies = dict(browser.cookies)
    with serve_app() as app, httpx2.Client(cookies=cookies, verify=False) as browser:
        assert browser.get(back).headers["location"] == "/assistant"


def test_session_of_a_lost_key_has_ended(serve_app: Serve) -> None:
    with serve_app() as app, app.browser() as browser:
        app.sign_on(browser)
        session_id = app.session_id(browser)
        (app.settings.data_dir / "encryption.key").unlink()
    with serve_app() as app, pytest.raises(SessionOver):
        app.services.tokens.app_token(session_id)


def test_idle_session_ends(app: BankingApp, signed_on: httpx2.Client) -> None:
    session_id = app.session_id(signed_on)
    for _ in range(3):
        app.clock.advance(seconds=app.settings.session_idle_seconds - 31)
        assert app.services.sessions.find(session_id) is not None
    app.clock.advance(seconds=app.settings.session_idle_seconds)
    assert app.services.sessions.find(session_id) is None


def test_session_ends_at_its_greatest_age_however_busy(app: BankingApp, signed_on: httpx2.Client) -> None:
    session_id, step = app.session_id(signed_on), app.settings.session_idle_seconds // 2
    steps = app.settings.session_max_seconds // step
    found = []
    for _ in range(steps + 1):
        app.clock.advance(seconds=step)
        found.append(app.services.sessions.find(session_id) is not None)
    assert found == [True] * (steps - 1) + [False, False]


@pytest.mark.parametrize("session_id", ["", "guessed", "x" * 10_000, "é"])
def test_unknown_session_is_none(app: BankingApp, session_id: str) -> None:
    assert app.services.sessions.find(session_id) is None
