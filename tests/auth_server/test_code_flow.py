"""The authorization code flow: RULES 41, 42, 48; RFC 6749 §4.1, RFC 7636, RFC 9207, OpenID Connect Core."""

from urllib.parse import urlencode

import pytest

from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    ALL_SCOPES,
    BALANCE,
    CALLBACK,
    ISSUER,
    TRANSACTIONS,
    AuthorizationRequest,
    AuthServer,
    claims,
    decide,
    header,
    sign_on,
)
from tests.clock import NOON

NOW = int(NOON.timestamp())


def test_a_sign_on_gives_app_token_refresh_token_and_id_token(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest()
    back = decide(browser, sign_on(browser, request, customer), {f"allow:{BALANCE}"})
    assert (back.status, back.leads_to) == (303, CALLBACK)
    assert back.parameters.keys() == {"code", "state", "iss"}
    assert back.parameters["state"] == request["state"]
    assert back.parameters["iss"] == ISSUER

    response = server.exchange_code(back.parameters["code"], request)
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body.keys() == {
        "access_token",
        "token_type",
        "expires_in",
        "scope",
        "refresh_token",
        "id_token",
    }
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    [published] = server.http.get("/jwks").json()["keys"]
    assert header(body["id_token"]) == {"alg": "ES256", "typ": "JWT", "kid": published["kid"]}
    id_token = claims(body["id_token"])
    assert id_token.pop("sid")
    assert id_token.pop("at_hash")
    assert id_token == {
        "iss": ISSUER,
        "aud": "banking-app",
        "sub": customer,
        "name": "Kim Test",
        "nonce": request["nonce"],
        "auth_time": NOW,
        "amr": ["pwd"],
        "iat": NOW,
        "exp": NOW + 300,
    }


def test_the_app_token_is_the_designs_claim_for_claim(server: AuthServer, customer: str) -> None:
    app_token = server.sign_on(customer).first["access_token"]
    assert header(app_token)["typ"] == "at+jwt"
    content = claims(app_token)
    assert content.pop("jti")
    assert content == {
        "iss": ISSUER,
        "aud": ACCOUNT_API,
        "sub": customer,
        "client_id": "banking-app",
        "scope": f"{BALANCE} {TRANSACTIONS}",
        "iat": NOW,
        "exp": NOW + 300,
    }


def test_the_subject_token_is_the_designs_claim_for_claim(server: AuthServer, customer: str) -> None:
    content = claims(server.sign_on(customer, allow=BALANCE).token_for(AGENT))
    assert content.pop("jti")
    assert content == {
        "iss": ISSUER,
        "aud": AGENT,
        "sub": customer,
        "client_id": "banking-app",
        "scope": BALANCE,
        "may_act": {"sub": AGENT},
        "iat": NOW,
        "exp": NOW + 900,
    }


def test_the_token_for_the_issuer_is_the_designs_claim_for_claim(server: AuthServer, customer: str) -> None:
    content = claims(server.sign_on(customer).token_for(ISSUER))
    assert content.pop("jti")
    assert content == {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": customer,
        "client_id": "banking-app",
        "scope": "grant_management_query grant_management_revoke openid profile",
        "iat": NOW,
        "exp": NOW + 300,
    }


def test_a_second_use_of_a_code_ends_what_the_first_one_gave(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest()
    page = sign_on(browser, request, customer)
    back = decide(browser, page, page.form.choices)
    tokens = server.redeem(browser, back, request)
    assert server.app.introspect(tokens.first["access_token"])["active"]
    again = server.exchange_code(back.parameters["code"], request)
    assert refusal(again) == (400, "invalid_grant")
    assert server.app.introspect(tokens.first["access_token"]) == {"active": False}
    assert refusal(tokens.refresh()) == (400, "invalid_grant")


def test_a_second_use_of_a_code_after_its_minute_ends_it_all_the_same(own_server: AuthServer) -> None:
    browser, request = own_server.browser(), AuthorizationRequest()
    page = sign_on(browser, request, own_server.new_customer())
    back = decide(browser, page, page.form.choices)
    tokens = own_server.redeem(browser, back, request)
    own_server.clock.forward(minutes=2)
    assert refusal(own_server.exchange_code(back.parameters["code"], request)) == (400, "invalid_grant")
    assert refusal(tokens.refresh()) == (400, "invalid_grant")


def test_a_code_is_good_for_a_minute(own_server_on_each: AuthServer) -> None:
    browser, customer = own_server_on_each.browser(), own_server_on_each.new_customer()
    request = AuthorizationRequest(resource=ACCOUNT_API)
    code = sign_on(browser, request, customer).parameters["code"]
    own_server_on_each.clock.forward(seconds=60)
    assert refusal(own_server_on_each.exchange_code(code, request)) == (400, "invalid_grant")
    request = AuthorizationRequest(resource=ACCOUNT_API)
    code = browser.open("/authorize", request.query).parameters["code"]
    own_server_on_each.clock.forward(seconds=59)
    assert own_server_on_each.exchange_code(code, request).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code_verifier": "w" * 43}, "invalid_grant", id="another verifier"),
        pytest.param({"code_verifier": None}, "invalid_request", id="no verifier"),
        pytest.param({"code_verifier": "short"}, "invalid_request", id="a malformed verifier"),
        pytest.param({"redirect_uri": f"{CALLBACK}/"}, "invalid_grant", id="another redirect URI"),
        pytest.param({"redirect_uri": None}, "invalid_grant", id="no redirect URI"),
        pytest.param({"code": "nonsense"}, "invalid_grant", id="an unknown code"),
        pytest.param({"code": None}, "invalid_request", id="no code"),
    ],
)
def test_a_code_is_refused_with(
    server: AuthServer, customer: str, changes: dict[str, str | None], error: str
) -> None:
    browser, request = server.browser(), AuthorizationRequest(resource=ACCOUNT_API)
    code = sign_on(browser, request, customer).parameters["code"]
    response = server.exchange_code(**{"code": code, "request": request} | changes)  # type: ignore[arg-type]
    assert refusal(response) == (400, error)


def test_a_code_is_refused_to_another_client(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest(resource=ACCOUNT_API)
    code = sign_on(browser, request, customer).parameters["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    response = server.agent.token(**form, code_verifier=request.verifier)
    assert refusal(response) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param(
            {"code_challenge": None, "code_challenge_method": None}, "invalid_request", id="no PKCE"
        ),
        pytest.param({"code_challenge": None}, "invalid_request", id="no challenge"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="the method plain"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="no method, which means plain"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="a malformed challenge"),
        pytest.param({"nonce": None}, "invalid_request", id="no nonce"),
        pytest.param({"nonce": "n" * 257}, "invalid_request", id="an endless nonce"),
        pytest.param({"scope": "openid everything"}, "invalid_scope", id="an unknown scope"),
        pytest.param({"scope": None}, "invalid_scope", id="no scope"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="the implicit grant"),
        pytest.param({"response_type": None}, "invalid_request", id="no response type"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="another response mode"),
        pytest.param({"max_age": "soon"}, "invalid_request", id="a max_age that is no number"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="a negative max_age"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="a prompt that contradicts itself"),
        pytest.param({"request": "e30.e30."}, "request_not_supported", id="a request object"),
        pytest.param({"resource": "https://elsewhere.example"}, "invalid_target", id="an unknown resource"),
        pytest.param({"resource": "accounts"}, "invalid_target", id="a relative resource"),
        pytest.param({"resource": f"{ACCOUNT_API}#"}, "invalid_target", id="a resource with a fragment"),
    ],
)
def test_the_client_is_told_in_the_redirect_that_the_request_has(
    server: AuthServer, changes: dict[str, str | None], error: str
) -> None:
    request = AuthorizationRequest(**changes)
    back = server.browser().open("/authorize", request.query)
    assert (back.status, back.leads_to) == (303, CALLBACK)
    assert back.parameters["error"] == error
    assert back.parameters["state"] == request["state"]
    assert back.parameters["iss"] == ISSUER


@pytest.mark.parametrize(
    ("response_type", "sentence"),
    [
        (None, "(invalid_request: send response_type=code)"),
        ("token", "(unsupported_response_type: response_type=token is not supported)"),
    ],
)
def test_a_person_is_told_in_a_sentence_that_the_response_type_is_wrong(
    server: AuthServer, response_type: str | None, sentence: str
) -> None:
    request = AuthorizationRequest(response_type=response_type, redirect_uri="https://elsewhere.example/")
    page = server.browser().open("/authorize", request.query)
    assert page.status == 400
    assert sentence in page.text


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"redirect_uri": None}, id="no redirect URI"),
        pytest.param({"redirect_uri": f"{CALLBACK}/"}, id="a slash more"),
        pytest.param({"redirect_uri": f"{CALLBACK}?next=x"}, id="a query more"),
        pytest.param({"redirect_uri": "HTTP://localhost:8501/callback"}, id="other letters"),
        pytest.param({"redirect_uri": "http://localhost:8501/%63allback"}, id="another encoding"),
        pytest.param({"redirect_uri": "http://localhost:8501@evil.example/callback"}, id="another host"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, id="a script"),
        pytest.param({"client_id": None}, id="no client"),
        pytest.param({"client_id": "nobody"}, id="an unknown client"),
        pytest.param({"client_id": AGENT}, id="a client that signs nobody on"),
    ],
)
def test_the_browser_is_sent_nowhere_with(server: AuthServer, changes: dict[str, str | None]) -> None:
    page = server.browser().open("/authorize", AuthorizationRequest(**changes).query)
    assert (page.status, page.leads_to) == (400, "")
    assert "This sign-on link does not work" in page.text


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "nonce", "code_challenge", "prompt"])
def test_a_repeated_parameter_is_refused_without_a_redirect(server: AuthServer, name: str) -> None:
    query = [*AuthorizationRequest(prompt="consent").query, (name, "x")]
    page = server.browser().open("/authorize", query)
    assert (page.status, page.leads_to) == (400, "")


def test_an_error_leads_to_no_other_client_than_the_one_named(server: AuthServer) -> None:
    request = AuthorizationRequest(client_id="nobody", response_type="token")
    assert server.browser().open("/authorize", request.query).status == 400


def test_a_nonce_is_good_for_one_code(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest(resource=ACCOUNT_API)
    assert sign_on(browser, request, customer).parameters["code"]
    assert browser.open("/authorize", request.query).parameters["error"] == "invalid_request"


def test_the_request_may_come_as_a_form(server: AuthServer, customer: str) -> None:
    browser, request = server.browser(), AuthorizationRequest(resource=ACCOUNT_API)
    page = browser.post("/authorize", dict(request.query))
    back = browser.submit(page, username=customer, password="correct horse battery staple")
    assert server.exchange_code(back.parameters["code"], request).status_code == 200


def test_a_state_of_any_letters_comes_back_as_it_was(server: AuthServer, customer: str) -> None:
    state = "ünï çødé 🏦 & = ? # % \r\nSet-Cookie: a=b"
    request = AuthorizationRequest(resource=ACCOUNT_API, state=state)
    back = sign_on(server.browser(), request, customer)
    assert back.parameters["state"] == state
    assert "a" not in back.response.cookies


def test_whoever_is_signed_on_gets_a_code_without_a_page(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    request = AuthorizationRequest()
    again = server.redeem(tokens.browser, tokens.browser.open("/authorize", request.query), request)
    assert claims(again.first["id_token"])["sub"] == customer


def test_scopes_that_the_client_may_not_have_are_left_out(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer, scope=ALL_SCOPES)
    for resource in (ACCOUNT_API, ISSUER):
        assert "account:transfer" not in tokens.refresh(resource=resource).json()["scope"]


def test_reloading_the_sign_on_page_leads_back_to_its_request(server: AuthServer) -> None:
    query = AuthorizationRequest().query
    page = server.browser().open(f"/sign-on?{urlencode(query)}")
    assert page.status == 200
    assert page.form.query == query
