"""Every permit and every deny is one record, printed and stored, and none holds a secret (RULE 77)."""

import json
import logging
from typing import Any

import pytest

from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    PASSWORD,
    TRANSFER,
    AuthorizationRequest,
    AuthServer,
    claims,
    decide,
    sign_on,
)

TRACE = "fedcba9876543210fedcba9876543210"
TRACEPARENT = {"traceparent": f"00-{TRACE}-0123456789abcdef-01"}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def decisions(records: list[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(record["step"], record["operation"], record["decision"]) for record in records]


def the_whole_story(server: AuthServer, customer: str) -> list[str]:
    """Do one of everything, well and badly; returns every secret that was used or given."""
    browser, request = server.browser(), AuthorizationRequest()
    wrong = "a wrong password"
    sign_on(browser, request, customer, wrong)
    sign_on(browser, request, "my own secret password", "x")
    page = sign_on(browser, request, customer)
    csrf = page.form.fields["csrf"]
    back = decide(browser, page, {f"allow:{BALANCE}"})
    code = back.parameters["code"]
    tokens = server.redeem(browser, back, request)
    seen = [tokens.refresh_token, tokens.first["access_token"], tokens.first["id_token"]]
    for resource in (AGENT, ACCOUNT_API, ISSUER):
        seen += [tokens.token_for(resource), tokens.refresh_token]
    subject_token, own, actor_token = seen[3], seen[7], server.actor_token()
    delegation = server.exchange(subject_token, actor_token).json()["access_token"]
    server.exchange(subject_token, actor_token, scope=TRANSFER)
    server.exchange(delegation, actor_token)
    server.http.get("/userinfo", headers=bearer(own))
    server.http.get("/userinfo", headers=bearer(delegation))
    server.http.get("/userinfo", params={"access_token": own})
    [grant] = server.http.get("/grants", headers=bearer(own)).json()["grants"]
    server.http.delete(f"/grants/{grant['grant_id']}", headers=bearer(own))
    server.http.delete(f"/grants/{grant['grant_id']}", headers=bearer(own))
    server.agent.introspect(delegation)
    server.agent.post("/revoke", {"token": own})
    server.app.post("/revoke", {"token": seen[1]})
    assertion = server.app.assertion()
    for _ in range(2):
        server.http.post("/introspect", data=server.app.credentials(assertion) | {"token": own})
    server.exchange_code(code, request)
    cookies = [cookie.value or "" for cookie in browser.http.cookies.jar]
    browser.open("/end-session", [("id_token_hint", tokens.first["id_token"])])
    secrets = [PASSWORD, wrong, "my own secret password", csrf, code, request.verifier, assertion]
    return [*secrets, actor_token, delegation, *seen, *cookies]


def test_no_record_and_no_log_holds_a_secret(
    own_server: AuthServer, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = the_whole_story(own_server, own_server.new_customer())
    printed = capsys.readouterr()
    stored = json.dumps(own_server.records())
    logged = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))
    )
    assert len(secrets) == 20
    for secret in secrets:
        for part in {secret, *secret.split(".")}:
            for text in (printed.out, printed.err, stored, logged):
                assert len(part) < 10 or part not in text


def test_what_is_printed_is_what_is_stored(
    own_server_on_each: AuthServer, capsys: pytest.CaptureFixture[str]
) -> None:
    at_the_start = len(own_server_on_each.records())
    the_whole_story(own_server_on_each, own_server_on_each.new_customer())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    stored = [
        {name: value for name, value in row.items() if name != "id"} for row in own_server_on_each.records()
    ][at_the_start:]
    assert lines == stored
    assert len({record["decision_id"] for record in stored}) == len(stored)
    assert {record["service"] for record in stored} == {"auth_server"}


def test_each_decision_is_recorded_once(own_server: AuthServer) -> None:
    the_whole_story(own_server, own_server.new_customer())
    assert decisions(own_server.records()) == [
        (3, "agent.register", "permit"),  # at the first start
        (1, "sign_on", "deny"),
        (1, "sign_on", "deny"),
        (1, "sign_on", "permit"),
        (1, "grant.give", "permit"),
        (1, "authorize", "permit"),
        (1, "token.authorization_code", "permit"),
        (1, "token.refresh", "permit"),
        (1, "token.refresh", "permit"),
        (1, "token.refresh", "permit"),
        (3, "token.actor", "permit"),
        (4, "token.exchange", "permit"),
        (4, "token.exchange", "deny"),
        (4, "token.exchange", "deny"),
        (1, "userinfo", "permit"),
        (1, "userinfo", "deny"),
        (1, "userinfo", "deny"),
        (1, "grant.list", "permit"),
        (1, "grant.withdraw", "permit"),
        (1, "grant.withdraw", "deny"),
        (1, "token.introspection", "deny"),  # the withdrawal ended the delegation token
        (1, "token.revocation", "deny"),
        (1, "token.revocation", "permit"),
        (1, "token.introspection", "permit"),
        (1, "token.introspection", "deny"),
        (1, "token.authorization_code", "deny"),
        (1, "sign_out", "permit"),
    ]


def test_a_permitted_exchange_names_agent_customer_resource_and_scope(
    server: AuthServer, customer: str
) -> None:
    subject_token = server.sign_on(customer).token_for(AGENT)
    delegation = server.exchange(subject_token).json()["access_token"]
    [record] = server.records(sub=customer, operation="token.exchange")
    assert record.pop("id")
    assert record.pop("decision_id")
    assert record.pop("trace_id")
    assert record == {
        "time": "2026-06-15T12:00:00.000000+00:00",
        "service": "auth_server",
        "step": 4,
        "decision": "permit",
        "reason": "every rule of the grant holds",
        "operation": "token.exchange",
        "resource": None,
        "sub": customer,
        "act": [AGENT],
        "client_id": AGENT,
        "aud": [ACCOUNT_API],
        "scope": BALANCE,
        "jti": claims(delegation)["jti"],
    }


def test_a_refused_exchange_names_who_asked_for_what_and_why_not(server: AuthServer, customer: str) -> None:
    subject_token = server.sign_on(customer, allow=BALANCE).token_for(AGENT)
    server.exchange(subject_token, scope=f"{TRANSFER} something-else")
    [record] = server.records(sub=customer, operation="token.exchange")
    assert record["decision"] == "deny"
    assert record["reason"].startswith("invalid_scope: nothing of this scope is delegated")
    assert (record["act"], record["client_id"], record["aud"]) == ([AGENT], AGENT, [ACCOUNT_API])
    assert (record["scope"], record["jti"]) == (TRANSFER, claims(subject_token)["jti"])


def test_a_wait_after_wrong_passwords_is_recorded(server: AuthServer, customer: str) -> None:
    for _ in range(6):
        sign_on(server.browser(), AuthorizationRequest(), customer, "wrong")
    reasons = [record["reason"] for record in server.records(sub=customer, operation="sign_on")]
    assert reasons == ["user name and password do not match"] * 5 + ["too many wrong passwords"]


def test_a_refused_authorization_request_is_recorded(own_server: AuthServer) -> None:
    own_server.browser().open("/authorize", AuthorizationRequest(prompt="none").query)
    own_server.browser().open("/authorize", AuthorizationRequest(client_id="nobody").query)
    first, second = own_server.records(operation="authorize")
    assert (first["decision"], first["reason"], first["client_id"]) == (
        "deny",
        "login_required",
        "banking-app",
    )
    assert (second["decision"], second["reason"], second["client_id"]) == ("deny", "invalid_client", None)


FORM = "application/x-www-form-urlencoded"
TWICE = b"a=1&a=2"


@pytest.mark.parametrize(
    ("method", "path", "body", "media_type", "status", "decision"),
    [
        ("POST", "/token", TWICE, FORM, 400, (4, "token.unknown_grant", "deny")),
        ("POST", "/token", b"{}", "application/json", 400, (4, "token.unknown_grant", "deny")),
        ("POST", "/token", b"a" * 65_537, FORM, 413, (4, "token.unknown_grant", "deny")),
        ("POST", "/introspect", TWICE, FORM, 400, (1, "token.introspection", "deny")),
        ("POST", "/revoke", TWICE, FORM, 400, (1, "token.revocation", "deny")),
        ("GET", "/authorize?a=1&a=2", b"", "", 400, (1, "authorize", "deny")),
        ("POST", "/authorize", TWICE, FORM, 400, (1, "authorize", "deny")),
        ("POST", "/sign-on", b"csrf=x", FORM, 400, (1, "sign_on", "deny")),
        ("POST", "/consent", b"csrf=x", FORM, 400, (1, "grant.give", "deny")),
        ("GET", "/end-session?a=1&a=2", b"", "", 400, (1, "sign_out", "deny")),
        ("GET", "/records?trace_id=x", b"", "", 401, (1, "record.list", "deny")),
        ("DELETE", "/grants/a%20b", b"", "", 401, (1, "grant.withdraw", "deny")),
        ("POST", "/userinfo", TWICE, FORM, 400, (1, "userinfo", "deny")),
    ],
)
def test_what_is_refused_before_it_is_read_is_recorded(
    own_server: AuthServer,
    method: str,
    path: str,
    body: bytes,
    media_type: str,
    status: int,
    decision: tuple[int, str, str],
) -> None:
    headers = TRACEPARENT | ({"content-type": media_type} if media_type else {})
    assert own_server.http.request(method, path, content=body, headers=headers).status_code == status
    assert decisions(own_server.records(trace_id=TRACE)) == [decision]


def test_a_consent_to_a_sign_on_that_is_over_is_refused_and_recorded(own_server: AuthServer) -> None:
    browser = own_server.browser()
    page = sign_on(browser, AuthorizationRequest(), own_server.new_customer())
    assert browser.submit(page, "Allow what is ticked", sid="another").status == 400
    [record] = own_server.records(operation="grant.give")
    assert record["decision"] == "deny"
    assert record["reason"] == "the form is too old, or was not made here for this browser"


def test_a_malformed_parameter_under_a_good_token_is_recorded_for_its_customer(
    server: AuthServer, customer: str
) -> None:
    own = bearer(server.sign_on(customer).token_for(ISSUER))
    assert server.http.get("/records?trace_id=x", headers=own).status_code == 422
    assert server.http.delete("/grants/a%20b", headers=own).status_code == 422
    for operation, name in (("record.list", "trace_id"), ("grant.withdraw", "grant_id")):
        [record] = server.records(sub=customer, operation=operation)
        assert (record["decision"], record["reason"]) == ("deny", f"malformed or missing: {name}")


def test_what_introspection_and_revocation_answer_is_recorded(own_server: AuthServer) -> None:
    customer = own_server.new_customer()
    token = own_server.sign_on(customer).token_for(ACCOUNT_API)
    assert own_server.app.introspect(token)["active"]
    assert not own_server.agent.introspect(token)["active"]
    assert not own_server.app.introspect("unknown")["active"]
    assert own_server.app.post("/revoke", {"token": "unknown"}).status_code == 200
    shown, foreign, unknown = own_server.records(operation="token.introspection")
    assert (shown["decision"], shown["client_id"], shown["sub"]) == ("permit", "banking-app", customer)
    assert shown["jti"] == claims(token)["jti"]
    assert (foreign["decision"], foreign["client_id"], foreign["jti"]) == ("deny", AGENT, None)
    assert (unknown["decision"], unknown["client_id"]) == ("deny", "banking-app")
    [nothing] = own_server.records(operation="token.revocation")
    assert (nothing["decision"], nothing["client_id"], nothing["sub"]) == ("permit", "banking-app", None)
    assert nothing["reason"] == "there is no such token, or no longer: nothing was to be done"


def test_a_record_has_the_callers_trace(server: AuthServer, customer: str) -> None:
    own = bearer(server.sign_on(customer).token_for(ISSUER))
    server.http.get("/userinfo", headers=own | TRACEPARENT)
    server.http.get("/userinfo", headers=own | {"traceparent": "nonsense"})
    known, new = server.records(sub=customer, operation="userinfo")
    assert known["trace_id"] == TRACE
    assert new["trace_id"] != TRACE
    assert len(new["trace_id"]) == 32
