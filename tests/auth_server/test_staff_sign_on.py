"""Staff sign on with the same pages as customers, and get nothing that only a customer can have."""

from pathlib import Path

import pytest
from sqlalchemy import select

from auth_server.agent_history import By
from auth_server.event_tables import SecurityEvent
from auth_server.staff import change_role
from delegation.security_event import SESSION_REVOKED
from tests.auth_server.administration import StaffMember, staff_member
from tests.auth_server.client import refusal
from tests.auth_server.servers import (
    ACCOUNT_API,
    ADMINISTRATION,
    AGENT,
    ALL_SCOPES,
    BALANCE,
    CALLBACK,
    GRANT_MANAGEMENT,
    ISSUER,
    AuthorizationRequest,
    AuthServer,
    claims,
    running_server,
    sign_on,
)
from tests.clock import SetClock
from tests.jwks_server import JwksServer

ROLES = ["administrator", "owner", "auditor"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("prompt", [None, "consent", "login"])
def test_staff_sign_on_and_are_never_asked_for_consent(
    server: AuthServer, role: str, prompt: str | None
) -> None:
    request, browser = AuthorizationRequest(prompt=prompt), server.browser()
    page = sign_on(browser, request, server.new_staff(role))
    assert page.leads_to == CALLBACK
    tokens = server.redeem(browser, page, request, resource=ISSUER)
    assert claims(tokens.first["id_token"])["role"] == role
    assert "role" not in claims(tokens.first["access_token"])


def test_staff_are_signed_on_without_a_question_when_the_app_asks_for_none(server: AuthServer) -> None:
    browser = server.browser()
    sign_on(browser, AuthorizationRequest(), server.new_staff("owner"))
    page = browser.open("/authorize", AuthorizationRequest(prompt="none").query)
    assert page.leads_to == CALLBACK
    assert "code" in page.parameters


@pytest.mark.parametrize(
    ("resource", "role"),
    [(AGENT, "administrator"), (AGENT, "auditor"), (AGENT, "owner"), (ACCOUNT_API, "owner")],
)
def test_there_is_no_token_for_staff_to_act_with(server: AuthServer, resource: str, role: str) -> None:
    request, browser = AuthorizationRequest(), server.browser()
    page = sign_on(browser, request, server.new_staff(role))
    first = server.exchange_code(page.parameters["code"], request, resource=resource)
    assert refusal(first) == (400, "invalid_target")
    tokens = server.staff_sign_on(server.new_staff(role))
    assert refusal(tokens.refresh(resource=resource)) == (400, "invalid_target")


@pytest.mark.parametrize("role", ["administrator", "auditor"])
def test_who_reads_everything_gets_a_token_that_reads_the_resources_records_and_nothing_else(
    server: AuthServer, role: str
) -> None:
    sub = server.new_staff(role)
    token = server.staff_sign_on(sub).token_for(ACCOUNT_API)
    assert (claims(token)["scope"], claims(token)["aud"]) == ("audit:read", ACCOUNT_API)
    assert "act" not in claims(token)
    with server.context.transaction() as db:
        change_role(db, sub, "owner", By(who="a test", why="", at=server.clock()))
        [told] = db.scalars(select(SecurityEvent).where(SecurityEvent.party == sub))
        assert (told.kind, told.sub) == (SESSION_REVOKED, None)
        named = db.scalars(select(SecurityEvent.ended_jti).where(SecurityEvent.ended_jti.is_not(None))).all()
        assert claims(token)["jti"] in named, "it was issued in the very second"


@pytest.mark.parametrize("scope", [BALANCE, GRANT_MANAGEMENT])
def test_staff_get_no_customers_scope(server: AuthServer, scope: str) -> None:
    tokens = server.staff_sign_on(server.new_staff("administrator"))
    assert refusal(tokens.refresh(resource=ISSUER, scope=scope)) == (400, "invalid_scope")
    only = AuthorizationRequest(scope=scope)
    browser = server.browser()
    page = sign_on(browser, only, server.new_staff("administrator"))
    refused = server.exchange_code(page.parameters["code"], only, resource=ISSUER)
    assert refusal(refused) == (400, "invalid_scope")


def test_a_customer_who_asks_for_staffs_scopes_gets_none_of_them(server: AuthServer, customer: str) -> None:
    tokens = server.sign_on(customer, scope=ALL_SCOPES)
    for resource in (ISSUER, ACCOUNT_API, AGENT):
        carried = claims(tokens.token_for(resource))["scope"].split()
        assert set(carried).isdisjoint(ADMINISTRATION.split())
    for scope in ADMINISTRATION.split():
        assert refusal(tokens.refresh(resource=ISSUER, scope=scope)) == (400, "invalid_scope")


def test_the_role_is_told_to_the_app_of_staff_and_is_none_of_a_customer(server: AuthServer) -> None:
    member = staff_member(server, "auditor")
    assert member.get("/userinfo") == {"sub": member.sub, "name": "Lee Test", "role": "auditor"}
    server.set_role(member.sub, "owner")
    assert member.get("/userinfo")["role"] == "owner"
    tokens = server.sign_on(server.new_customer())
    assert "role" not in claims(tokens.first["id_token"])
    assert "role" not in StaffMember(server, "", tokens.token_for(ISSUER)).get("/userinfo")
    assert "role" in server.http.get("/.well-known/openid-configuration").json()["claims_supported"]


def test_an_agent_cannot_be_given_a_token_of_staff(server: AuthServer) -> None:
    own = staff_member(server, "administrator").token
    assert own is not None
    assert refusal(server.exchange(own)) == (400, "invalid_request")
    assert refusal(server.exchange(own, own)) == (400, "invalid_request")
    asked = server.agent.token(grant_type="client_credentials", scope="agents:write")
    assert refusal(asked) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("sub", "role"),
    [
        ("admin@example.com", "administrator"),
        ("olivia@example.com", "owner"),
        ("audit@example.com", "auditor"),
    ],
)
def test_the_demos_staff_can_sign_on_and_the_page_says_how(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer, sub: str, role: str
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), demo_password="bank-demo") as server:
        request, browser = AuthorizationRequest(), server.browser()
        page = browser.open("/authorize", request.query)
        assert sub in page.text
        done = browser.submit(page, username=sub.upper(), password="bank-demo")
        tokens = server.redeem(browser, done, request, resource=ISSUER)
        assert claims(tokens.first["id_token"])["role"] == role
        caller = StaffMember(server, sub, tokens.first["access_token"])
        [agent] = caller.get("/admin/agents")["agents"]
        assert (agent["agent_id"], agent["owner_sub"]) == (AGENT, "olivia@example.com")


def test_a_database_with_customers_of_its_own_gets_no_staff_with_the_demos_password(
    tmp_path: Path, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    with running_server(tmp_path, app_keys, agent_keys, SetClock()) as before:
        before.new_customer()
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), demo_password="bank-demo") as server:
        browser = server.browser()
        page = sign_on(browser, AuthorizationRequest(), "admin@example.com", "bank-demo")
        assert page.status == 403
