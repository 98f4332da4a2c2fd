"""Sign-out: OpenID Connect RP-Initiated Logout 1.0."""

from base64 import urlsafe_b64encode

import pytest

from delegation.signing_key import SigningKey
from tests.auth_server.client import refusal
from tests.auth_server.servers import AGENT, ISSUER, PASSWORD, AuthorizationRequest, AuthServer, claims

HOME = "http://localhost:8501/"


def asks_for_password(server: AuthServer, tokens: object) -> bool:
    browser = tokens.browser  # type: ignore[attr-defined]
    return "password" in browser.open("/authorize", AuthorizationRequest().query).form.fields


def test_with_the_id_token_the_customer_is_signed_out_and_led_back(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    access_token = tokens.token_for(ISSUER)
    hint = {"id_token_hint": tokens.first["id_token"]}
    page = tokens.browser.open(
        "/end-session", list((hint | {"post_logout_redirect_uri": HOME, "state": "s t"}).items())
    )
    assert (page.status, page.leads_to, page.parameters) == (303, HOME, {"state": "s t"})
    assert asks_for_password(server, tokens)
    assert refusal(tokens.refresh()) == (400, "invalid_grant")
    assert server.app.introspect(access_token) == {"active": False}


def test_the_id_token_may_come_in_a_form(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    fields = {"id_token_hint": tokens.first["id_token"], "post_logout_redirect_uri": HOME}
    assert tokens.browser.post("/end-session", fields).leads_to == HOME
    assert refusal(tokens.refresh()) == (400, "invalid_grant")


def test_without_a_hint_the_customer_is_asked_first(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    page = tokens.browser.open("/end-session", [("post_logout_redirect_uri", HOME)])
    assert page.status == 200
    assert customer in page.text
    assert tokens.refresh().status_code == 200
    done = tokens.browser.submit(page, "Sign out")
    assert (done.status, done.leads_to) == (200, "")
    assert "You are signed out" in done.text
    assert refusal(tokens.refresh()) == (400, "invalid_grant")
    assert asks_for_password(server, tokens)


def test_another_site_cannot_sign_the_customer_out(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    page = tokens.browser.post("/end-session", {"csrf": "0" * 64})
    assert "Sign out?" in page.text
    assert tokens.refresh().status_code == 200


def test_whoever_is_not_signed_on_is_told_that_they_are_out(server: AuthServer) -> None:
    assert "You are signed out" in server.browser().open("/end-session").text


def test_an_expired_id_token_is_a_good_hint(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    own_server.clock.forward(hours=1)
    query = [("id_token_hint", tokens.first["id_token"]), ("post_logout_redirect_uri", HOME)]
    assert tokens.browser.open("/end-session", query).leads_to == HOME


def test_a_hint_of_a_key_that_is_gone_counts_as_none(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    content = claims(tokens.first["id_token"])
    foreign = SigningKey.generate().sign(content, "JWT")
    query = [("id_token_hint", foreign), ("post_logout_redirect_uri", HOME)]
    page = tokens.browser.open("/end-session", query)
    assert "Sign out?" in page.text
    assert tokens.refresh().status_code == 200


@pytest.mark.parametrize(
    "hint",
    [
        "nonsense",
        "a.b.c",
        "é.é.é",
        "e30.e30.e30",
        "W10.e30.",
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJhbGciOiJFUzI1NiIsImNyaXQiOjV9.e30.AAAA",  # {"alg":"ES256","crit":5}
        "eyJhbGciOlsiRVMyNTYiXX0.e30.AAAA",  # {"alg":["ES256"]}
        *(
            f"{urlsafe_b64encode(head.encode()).decode().rstrip('=')}.e30.AAAA"
            for head in (
                r'{"alg":"ES256","kid":"a\"b"}',
                r'{"alg":"ES256","kid":"\ud800"}',
                '{"alg":"ES256","kid":"é"}',
                '{"alg":"é"}',
                r'{"alg":"\ud800"}',
                r'{"alg":"a\"b"}',
                '{"alg":"ES256","crit":["é"]}',
                r'{"alg":"ES256","crit":["\ud800"]}',
            )
        ),
    ],
)
def test_a_malformed_hint_counts_as_none(server: AuthServer, customer: str, hint: str) -> None:
    tokens = server.sign_on(customer)
    parameters = {"id_token_hint": hint, "client_id": "banking-app"}
    for page in (
        tokens.browser.open("/end-session", list(parameters.items())),
        tokens.browser.post("/end-session", parameters),
    ):
        assert page.status == 200
        assert "Sign out?" in page.text


def test_no_access_token_is_a_hint(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    for token in (tokens.token_for(AGENT), tokens.token_for(ISSUER), server.actor_token()):
        query = [("id_token_hint", token), ("post_logout_redirect_uri", HOME), ("client_id", AGENT)]
        page = tokens.browser.open("/end-session", query)
        assert (page.status, page.leads_to) == (200, "")
    assert tokens.refresh().status_code == 200


def test_the_hint_of_another_session_does_not_end_this_one(server: AuthServer, customer: str) -> None:
    here, elsewhere = server.sign_on(customer), server.sign_on(customer)
    page = here.browser.open("/end-session", [("id_token_hint", elsewhere.first["id_token"])])
    assert "Sign out?" in page.text
    assert here.refresh().status_code == elsewhere.refresh().status_code == 200


@pytest.mark.parametrize(
    "address", ["http://localhost:8501", "http://localhost:8501/x", "http://evil.example/", "javascript:0"]
)
def test_nobody_is_led_to_an_address_that_is_not_registered(
    server: AuthServer, customer: str, address: str
) -> None:
    tokens = server.sign_on(customer)
    query = [("id_token_hint", tokens.first["id_token"]), ("post_logout_redirect_uri", address)]
    page = tokens.browser.open("/end-session", query)
    assert (page.status, page.leads_to) == (200, "")
    assert "You are signed out" in page.text


def test_a_new_sign_on_in_the_same_browser_ends_the_one_before(server: AuthServer, customer: str) -> None:
    tokens, elsewhere = server.sign_on(customer), server.sign_on(customer)
    access_token = tokens.token_for(ISSUER)
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="login").query)
    assert tokens.refresh().status_code == 200, "to be asked for the password is not to be signed on"
    assert "password" in tokens.browser.submit(page, username=customer, password="wrong").text
    assert tokens.refresh().status_code == 200, "nor is a wrong one"
    other = server.new_customer()
    assert other in tokens.browser.submit(page, username=other, password=PASSWORD).text
    assert refusal(tokens.refresh()) == (400, "invalid_grant")
    assert server.app.introspect(access_token) == {"active": False}
    assert elsewhere.refresh().status_code == 200
    [record] = server.records(sub=customer, operation="sign_out")
    assert record["reason"] == "the browser is signed on anew"


def test_a_repeated_parameter_signs_nobody_out(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    query = [("id_token_hint", tokens.first["id_token"]), ("id_token_hint", "x")]
    assert tokens.browser.open("/end-session", query).status == 400
    assert tokens.refresh().status_code == 200
