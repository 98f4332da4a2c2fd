"""What ends a delegation, and when: RULES 6, 30, 35, 75."""

from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    AGENT,
    BALANCE,
    ISSUER,
    TRANSACTIONS,
    TRANSFER,
    AuthorizationRequest,
    AuthServer,
    claims,
    decide,
)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_delegation_never_outlives_its_subject_token(own_server: AuthServer) -> None:
    subject_token = own_server.sign_on(own_server.new_customer()).token_for(AGENT)
    own_server.clock.forward(minutes=14, seconds=1)
    body = own_server.exchange(subject_token).json()
    assert body["expires_in"] == 59
    assert claims(body["access_token"])["exp"] == claims(subject_token)["exp"]


def test_a_delegation_never_outlives_its_actor_token(own_server: AuthServer) -> None:
    subject_token = own_server.sign_on(own_server.new_customer()).token_for(AGENT)
    actor_token = own_server.actor_token()
    own_server.clock.forward(minutes=4)
    body = own_server.exchange(subject_token, actor_token).json()
    assert claims(body["access_token"])["exp"] == claims(actor_token)["exp"]


def test_an_expired_token_is_refused(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    subject_token, actor_token = tokens.token_for(AGENT), own_server.actor_token()
    own_server.clock.forward(minutes=5)
    assert refusal(own_server.exchange(subject_token, actor_token)) == (400, "invalid_request")
    own_server.clock.forward(minutes=10)
    assert refusal(own_server.exchange(subject_token)) == (400, "invalid_request")


def test_after_the_grant_is_withdrawn_the_next_exchange_is_refused(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    subject_token, own = tokens.token_for(AGENT), bearer(tokens.token_for(ISSUER))
    assert server.exchange(subject_token).status_code == 200
    [grant] = server.http.get("/grants", headers=own).json()["grants"]
    assert server.http.delete(f"/grants/{grant['grant_id']}", headers=own).status_code == 204
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
    assert refusal(tokens.refresh(resource=AGENT)) == (400, "invalid_target")


def test_withdrawing_the_grant_ends_the_delegations_under_it_and_nothing_else(
    server: AuthServer,
) -> None:
    tokens, others = server.sign_on(server.new_customer()), server.sign_on(server.new_customer())
    subject_token, own = tokens.token_for(AGENT), tokens.token_for(ISSUER)
    delegation = server.exchange(subject_token).json()["access_token"]
    others_delegation = server.exchange(others.token_for(AGENT)).json()["access_token"]
    assert server.agent.introspect(delegation)["active"]
    [grant] = server.http.get("/grants", headers=bearer(own)).json()["grants"]
    server.http.delete(f"/grants/{grant['grant_id']}", headers=bearer(own))
    assert server.agent.introspect(delegation) == {"active": False}
    assert server.agent.introspect(others_delegation)["active"]
    assert server.http.get("/userinfo", headers=bearer(own)).status_code == 200


def test_after_the_grant_has_expired_the_exchange_is_refused(own_server_on_each: AuthServer) -> None:
    customer = own_server_on_each.new_customer()
    own_server_on_each.sign_on(customer)
    own_server_on_each.clock.forward(days=own_server_on_each.settings.grant_days, minutes=-1)
    tokens = own_server_on_each.sign_on(customer)
    subject_token = tokens.token_for(AGENT)
    assert own_server_on_each.exchange(subject_token).status_code == 200
    own_server_on_each.clock.forward(minutes=1)
    assert refusal(own_server_on_each.exchange(subject_token)) == (400, "invalid_request")


def test_a_narrower_grant_narrows_the_subject_token_that_is_out_already(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer)
    subject_token = tokens.token_for(AGENT)
    assert TRANSFER in claims(subject_token)["scope"]
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    decide(tokens.browser, page, {f"allow:{BALANCE}"})
    assert server.exchange(subject_token, scope=BALANCE).status_code == 200
    assert refusal(server.exchange(subject_token, scope=TRANSFER)) == (400, "invalid_scope")


def test_a_narrower_grant_ends_what_the_agent_has_of_the_wider_one_and_a_wider_one_does_not(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer, allow=f"{BALANCE} {TRANSFER}")
    narrowed = server.exchange(tokens.token_for(AGENT), scope=TRANSFER).json()["access_token"]
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    decide(tokens.browser, page, {f"allow:{BALANCE}"})
    assert server.agent.introspect(narrowed) == {"active": False}
    kept = server.exchange(tokens.token_for(AGENT)).json()["access_token"]
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    decide(tokens.browser, page, page.form.choices)
    assert server.agent.introspect(kept)["active"]


def test_a_wider_grant_does_not_widen_the_subject_token_that_is_out_already(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer, allow=BALANCE)
    subject_token = tokens.token_for(AGENT)
    page = tokens.browser.open("/authorize", AuthorizationRequest(prompt="consent").query)
    decide(tokens.browser, page, page.form.choices)
    assert refusal(server.exchange(subject_token, scope=TRANSACTIONS)) == (400, "invalid_scope")
    assert server.exchange(tokens.token_for(AGENT), scope=TRANSACTIONS).status_code == 200


def test_after_sign_out_the_exchange_is_refused_and_the_delegation_ended(
    server: AuthServer, customer: str
) -> None:
    tokens = server.sign_on(customer)
    subject_token = tokens.token_for(AGENT)
    delegation = server.exchange(subject_token).json()["access_token"]
    assert server.agent.introspect(delegation)["active"]
    server.http.get("/end-session", params={"id_token_hint": tokens.first["id_token"]})
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
    assert server.agent.introspect(delegation) == {"active": False}


def test_revoking_the_subject_token_ends_what_was_exchanged_for_it(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer)
    subject_token = tokens.token_for(AGENT)
    delegation = server.exchange(subject_token).json()["access_token"]
    assert server.app.post("/revoke", {"token": subject_token}).status_code == 200
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
    assert server.agent.introspect(delegation) == {"active": False}


def test_one_customers_grant_says_nothing_of_anothers(server: AuthServer) -> None:
    server.sign_on(server.new_customer())
    browser, request = server.browser(), AuthorizationRequest()
    page = browser.submit(
        browser.open("/authorize", request.query),
        username=server.new_customer(),
        password="correct horse battery staple",
    )
    back = browser.submit(page, "Go on without the assistant")
    other = server.redeem(browser, back, request)
    assert refusal(other.refresh(resource=AGENT)) == (400, "invalid_target")


def test_a_grant_shows_when_it_was_last_used(own_server: AuthServer) -> None:
    tokens = own_server.sign_on(own_server.new_customer())
    subject_token, own = tokens.token_for(AGENT), bearer(tokens.token_for(ISSUER))
    [unused] = own_server.http.get("/grants", headers=own).json()["grants"]
    assert unused["last_used_at"] is None
    own_server.clock.forward(minutes=1)
    own_server.exchange(subject_token)
    [used] = own_server.http.get("/grants", headers=own).json()["grants"]
    assert used["last_used_at"] == own_server.clock.now.isoformat()
