"""Signing on, through the app's own routes and a provider that can be made to misbehave.

Shows what is asked of the provider, which answers are taken and which are not, that each is taken once and
only from the browser that began, and that nobody can make the app send a customer elsewhere.
"""

import base64
import hashlib
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from delegation.signing_key import SigningKey
from tests.banking_app.conftest import BankingApp, Records, Serve, cookie, get, query, text_of
from tests.issuer import ACCOUNT_API, AGENT


def test_login_asks_for_a_code_with_pkce_state_and_nonce(app: BankingApp, browser: httpx2.Client) -> None:
    asked = query(browser.get("/login").headers["location"])
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{app.url}/callback"]
    assert len(asked["state"][0]) >= 43
    assert len(asked["nonce"][0]) >= 43


def test_login_asks_for_every_resource_and_scope_that_the_pages_need(
    app: BankingApp, browser: httpx2.Client
) -> None:
    asked = query(browser.get("/login").headers["location"])
    assert asked["resource"] == [AGENT, ACCOUNT_API, app.provider.url]
    assert asked["scope"][0].split() == [
        "openid",
        "profile",
        "account:read_balance",
        "account:read_transactions",
        "account:transfer",
        "grant_management_query",
        "grant_management_revoke",
        "agents:read",
        "agents:write",
        "audit:read",
    ]


def test_login_asks_for_consent_only_when_the_customer_wants_to_be_asked(
    app: BankingApp, browser: httpx2.Client
) -> None:
    assert "prompt" not in query(browser.get("/login").headers["location"])
    assert query(browser.get("/login?consent=1").headers["location"])["prompt"] == ["consent"]


def test_code_is_redeemed_with_the_verifier_of_its_own_challenge(
    app: BankingApp, browser: httpx2.Client
) -> None:
    app.sign_on(browser)
    request = app.provider.token_requests[0]
    digest = hashlib.sha256(request["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert challenge == app.provider.authorize_request["code_challenge"]
    assert request["resource"] == app.provider.url
    assert request["redirect_uri"] == f"{app.url}/callback"


def test_client_assertion_is_for_the_issuer_and_used_once(app: BankingApp, signed_on: httpx2.Client) -> None:
    # The provider refuses every assertion whose audience is not exactly its issuer, or that it saw before.
    app.services.tokens.app_token(app.session_id(signed_on))
    assert len(app.provider.token_requests) == 2


@pytest.mark.parametrize("role", ["administrator", "owner", "auditor"])
def test_a_member_of_staff_who_signs_on_is_known_as_one(
    app: BankingApp, browser: httpx2.Client, role: str
) -> None:
    app.provider.id_token_claims = {"role": role}
    app.sign_on(browser)
    session = app.services.sessions.find(app.session_id(browser))
    assert session is not None
    assert session.role == role


@pytest.mark.parametrize("role", [None, "", "customer", "king", ["owner"], {"owner": True}, 7])
def test_whoever_has_no_role_that_this_app_knows_is_a_customer(
    app: BankingApp, browser: httpx2.Client, role: object
) -> None:
    app.provider.id_token_claims = {"role": role}
    app.sign_on(browser)
    session = app.services.sessions.find(app.session_id(browser))
    assert session is not None
    assert session.role is None


def test_signing_on_leads_to_the_page_that_was_asked_for(app: BankingApp, browser: httpx2.Client) -> None:
    answer = app.sign_on(browser, "/login?next=/permissions")
    assert (answer.status_code, answer.headers["location"]) == (303, "/permissions")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/permissions/../../evil",
        "/permissions?x=https://evil.example",
        "/%2f%2fevil.example",
        "javascript:alert(1)",
        "/logout",
        "/assistant\r\nSet-Cookie: a=b",
        "",
    ],
)
def test_signing_on_never_leads_elsewhere(app: BankingApp, browser: httpx2.Client, elsewhere: str) -> None:
    answer = app.sign_on(browser, f"/login?{urlencode({'next': elsewhere})}")
    assert answer.headers["location"] == "/"


def test_session_cookie_is_opaque_and_out_of_reach_of_scripts(
    app: BankingApp, browser: httpx2.Client
) -> None:
    line = cookie(app.sign_on(browser), "banking_session")
    assert "HttpOnly" in line
    assert "samesite=lax" in line.lower()
    assert "Path=/" in line
    assert "Domain" not in line
    assert "Secure" not in line
    assert not any(token in line for token in app.provider.issued)


def test_over_https_cookies_are_secure_and_bound_to_the_host(serve_app: Serve) -> None:
    with serve_app(public_url="https://bank.example.com") as app, app.browser() as browser:
        to_provider = browser.get("/login")
        sign_on_cookie = cookie(to_provider, "__Host-banking_sign_on")
        assert "Secure" in sign_on_cookie
        # The test speaks http, so it has to send the Secure cookie by hand.
        back = get(to_provider.headers["location"]).headers["location"]
        answer = browser.get(
            f"/callback?{urlsplit(back).query}", headers={"cookie": sign_on_cookie.split(";")[0]}
        )
        assert "Secure" in cookie(answer, "__Host-banking_session")


def test_callback_works_once(app: BankingApp, browser: httpx2.Client, records: Records) -> None:
    back = app.come_back(browser)
    assert browser.get(back).status_code == 303
    again = browser.get(back)
    assert again.status_code == 400
    assert "You are not signed on yet" in text_of(again)
    assert "Sign on again" in text_of(again)
    assert [(record["step"], record["decision"]) for record in records()] == [(1, "permit"), (1, "deny")]


def test_callback_works_only_in_the_browser_that_began(app: BankingApp, browser: httpx2.Client) -> None:
    back = app.come_back(browser)
    with app.browser() as other:
        other.get("/login")
        assert other.get(back).status_code == 400
        assert "banking_session" not in other.cookies
    assert browser.get(back).status_code == 303


def test_two_tabs_sign_on_side_by_side(app: BankingApp, browser: httpx2.Client) -> None:
    first = app.come_back(browser, "/login?next=/assistant")
    second = app.come_back(browser, "/login?next=/permissions")
    assert browser.get(first).headers["location"] == "/assistant"
    assert browser.get(second).headers["location"] == "/permissions"


def test_callback_after_ten_minutes_is_refused(app: BankingApp, browser: httpx2.Client) -> None:
    back = app.come_back(browser)
    app.clock.advance(minutes=10)
    assert browser.get(back).status_code == 400


@pytest.mark.parametrize(
    "address", ["/callback", "/callback?code=a&state=b", "/callback?error=access_denied"]
)
def test_callback_out_of_nowhere_is_refused_with_a_way_on(
    app: BankingApp, browser: httpx2.Client, address: str
) -> None:
    answer = browser.get(address)
    assert answer.status_code == 400
    assert f'href="{app.url}/login?next=%2F"' in answer.text


@pytest.mark.parametrize("iss", ["", "https://evil.example", "http://127.0.0.1"])
def test_answer_of_another_issuer_is_refused_and_its_code_not_sent(
    app: BankingApp, browser: httpx2.Client, iss: str
) -> None:
    app.provider.authorize_answer = {"iss": iss}
    assert app.sign_on(browser).status_code == 400
    assert app.provider.token_requests == []


def test_refusal_by_the_provider_is_told_with_a_way_back_to_the_page(
    app: BankingApp, browser: httpx2.Client
) -> None:
    app.provider.authorize_answer = {"code": "", "error": "access_denied"}
    answer = app.sign_on(browser, "/login?next=/assistant")
    assert answer.status_code == 400
    assert "cancelled" in text_of(answer)
    assert f'href="{app.url}/login?next=%2Fassistant"' in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["banking-app", "another-client"]},
        {"aud": ["banking-app", "another-client"], "azp": "another-client"},
        {"aud": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": None},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"sub": ""},
        {"sub": None},
        {"sub": ["customer@example.com"]},
    ],
    ids=str,
)
def test_id_token_with_a_wrong_claim_is_refused(
    app: BankingApp, browser: httpx2.Client, records: Records, wrong: dict[str, Any]
) -> None:
    app.provider.id_token_claims = wrong
    answer = app.sign_on(browser)
    assert answer.status_code == 502
    assert "banking_session" not in browser.cookies
    assert [record["decision"] for record in records()] == ["deny"]


def test_id_token_signed_by_another_key_is_refused(app: BankingApp, browser: httpx2.Client) -> None:
    own_key = app.provider.issuer.key
    app.provider.issuer.key = SigningKey.generate()
    try:
        assert app.sign_on(browser).status_code == 502
    finally:
        app.provider.issuer.key = own_key


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"}], ids=lambda header: header["alg"]
)
def test_id_token_of_another_algorithm_is_refused(
    app: BankingApp, browser: httpx2.Client, header: dict[str, str]
) -> None:
    parts = [b'{"alg":"%s"}' % header["alg"].encode(), b'{"sub":"customer@example.com"}', b"signature"]
    app.provider.id_token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    assert app.sign_on(browser).status_code == 502


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (PlainTextResponse("upstream failed", 502), 503),
        (PlainTextResponse("not json"), 503),
        (JSONResponse({"access_token": "a"}), 503),
        (JSONResponse({"access_token": "a", "expires_in": 300, "token_type": "Bearer"}), 502),
        (JSONResponse({"error": "invalid_client"}, 401), 502),
        (JSONResponse({"error": "invalid_grant"}, 400), 502),
    ],
)
def test_unusable_token_response_is_told_with_a_way_on(
    app: BankingApp, browser: httpx2.Client, answer: Any, status: int
) -> None:
    app.provider.token_answer = answer
    page = app.sign_on(browser)
    assert page.status_code == status
    assert "Sign on again" in text_of(page)
    assert "Hint for the trainer" in text_of(page)


def test_provider_that_is_down_at_the_callback_is_told_apart(serve_app: Serve) -> None:
    with serve_app(token_endpoint="http://127.0.0.1:1/token") as app, app.browser() as browser:
        page = app.sign_on(browser)
        assert page.status_code == 503
        assert "Sign-on is not available right now" in text_of(page)


def test_signing_on_again_replaces_the_session_and_revokes_its_tokens(
    app: BankingApp, signed_on: httpx2.Client
) -> None:
    first = app.session_id(signed_on)
    app.sign_on(signed_on, "/login?consent=1&next=/permissions")
    assert app.services.sessions.find(first) is None
    assert app.services.sessions.find(app.session_id(signed_on)) is not None
    assert len(app.provider.revoked) == 1


def test_failure_page_shows_nothing_of_the_request_as_markup(browser: httpx2.Client) -> None:
    page = browser.get("/callback?state=%3Cscript%3Ealert(1)%3C/script%3E&error=%3Cb%3Ex")
    assert "<script" not in page.text
    assert "<b>x" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/login", "/callback", "/logout", "/jwks.json", "/healthz"])
def test_answers_of_our_own_routes_are_kept_out_of_caches_frames_and_referrers(
    browser: httpx2.Client, path: str
) -> None:
    headers = browser.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_public_key_is_published_and_the_private_one_is_not(browser: httpx2.Client) -> None:
    (key,) = browser.get("/jwks.json").json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert "d" not in key
