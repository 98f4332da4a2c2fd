"""Agents as the registry has them: what each state allows, at once and without a restart (RULES 35, 76)."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import select, text

from auth_server.tables import DelegationGrant
from delegation.signing_key import SigningKey
from tests.auth_server.browser import Page
from tests.auth_server.client import refusal
from tests.auth_server.registry import OTHER, Registry
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    TRANSACTIONS,
    AuthorizationRequest,
    AuthServer,
    Tokens,
    claims,
    decide,
    running_server,
    sign_on,
)
from tests.clock import SetClock
from tests.jwks_server import JwksServer

STOPPED = [("suspend", "suspended"), ("retire", "retired")]
NOT_ACTIVE = (401, "invalid_client")


@pytest.fixture
def server(own_server_on_each: AuthServer) -> AuthServer:
    """A server of each test's own: there is one registry, and it is changed."""
    return own_server_on_each


@pytest.fixture
def registry(server: AuthServer) -> Registry:
    return Registry(server)


def sign_on_for(server: AuthServer, agent: str, customer: str) -> tuple[Page, Tokens]:
    """Sign on for one agent; returns the page after the sign-on, and the tokens once all is allowed."""
    request = AuthorizationRequest(resource=[agent, ACCOUNT_API, ISSUER])
    browser = server.browser()
    page = sign_on(browser, request, customer)
    asked = page.response.is_success
    after = decide(browser, page, page.form.choices) if asked else page
    return page, server.redeem(browser, after, request)


def test_the_agent_of_the_settings_is_registered_at_the_first_start(registry: Registry) -> None:
    [listed] = registry("list")
    shown = registry("show", AGENT)
    assert (listed["id"], listed["name"], listed["state"]) == (AGENT, "Bank Assistant", "active")
    assert shown["owner"] == "Digital Channels, Example Bank"
    assert shown["scopes"].keys() == {ACCOUNT_API}
    [entry] = shown["history"]
    assert (entry["who"], entry["action"]) == ("auth_server", "register")


@pytest.mark.parametrize(("command", "state"), STOPPED)
def test_an_agent_that_is_stopped_is_refused_everywhere(
    server: AuthServer, registry: Registry, command: str, state: str
) -> None:
    tokens = server.sign_on(server.new_customer())
    subject_token, actor_token = tokens.token_for(AGENT), server.actor_token()
    assert registry(command, AGENT, "--reason", "a leaked key")["state"] == state
    exchange = server.exchange(subject_token, actor_token)
    assert refusal(exchange) == NOT_ACTIVE
    assert state in exchange.json()["error_description"]
    assert refusal(server.agent.token(grant_type="client_credentials")) == NOT_ACTIVE
    assert refusal(server.agent.post("/introspect", {"token": actor_token})) == NOT_ACTIVE
    assert refusal(tokens.refresh(resource=AGENT)) == (400, "invalid_target")
    assert server.records(operation="token.exchange", decision="deny")[-1]["client_id"] == AGENT


def test_what_a_suspended_agent_holds_ends_for_good_and_nothing_else_does(
    server: AuthServer, registry: Registry
) -> None:
    other_key = SigningKey.generate()
    registry.register(keys=other_key)
    other = registry.client(other_key)
    others_token = other.token(grant_type="client_credentials").json()["access_token"]
    tokens = server.sign_on(server.new_customer())
    subject_token, actor_token = tokens.token_for(AGENT), server.actor_token()
    delegation = server.exchange(subject_token, actor_token).json()["access_token"]
    registry("suspend", AGENT, "--reason", "a leaked key")
    assert other.introspect(others_token)["active"]
    assert server.app.introspect(subject_token)["active"]
    registry("resume", AGENT)
    assert server.agent.introspect(delegation) == {"active": False}
    assert server.agent.introspect(actor_token) == {"active": False}
    assert server.exchange(subject_token).status_code == 200


def test_nothing_that_is_issued_during_a_suspension_outlives_it(
    server: AuthServer, registry: Registry
) -> None:
    subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
    issued: list[str] = []

    def exchange_until_refused(_worker: int) -> None:
        while (answer := server.agent.token(grant_type="client_credentials")).status_code == 200:
            issued.append(answer.json()["access_token"])
            answer = server.exchange(subject_token, issued[-1])
            if answer.status_code == 200:
                issued.append(answer.json()["access_token"])

    with ThreadPoolExecutor(4) as workers:
        done = workers.map(exchange_until_refused, range(4))
        assert registry.run_alone("suspend", AGENT, "--reason", "a leaked key").returncode == 0
        list(done)
    registry("resume", AGENT)
    assert issued
    assert not [token for token in issued if server.agent.introspect(token)["active"]]


def test_whether_an_agent_is_suspended_is_told_to_nobody_else(server: AuthServer, registry: Registry) -> None:
    forged = server.agent.assertion(key=SigningKey.generate())
    before = server.http.post("/token", data=server.agent.credentials(forged)).json()
    registry("suspend", AGENT, "--reason", "a leaked key")
    forged = server.agent.assertion(key=SigningKey.generate())
    assert server.http.post("/token", data=server.agent.credentials(forged)).json() == before


def test_customers_sign_on_without_an_agent_that_is_stopped(server: AuthServer, registry: Registry) -> None:
    registry("suspend", AGENT, "--reason", "a leaked key")
    page, tokens = sign_on_for(server, AGENT, server.new_customer())
    assert "code" in page.parameters, "nothing is asked"
    assert tokens.refresh(resource=ACCOUNT_API).status_code == 200
    assert refusal(tokens.refresh(resource=AGENT)) == (400, "invalid_target")


def test_a_consent_that_comes_after_the_suspension_is_refused(server: AuthServer, registry: Registry) -> None:
    browser = server.browser()
    customer = server.new_customer()
    page = sign_on(browser, AuthorizationRequest(), customer)
    registry("suspend", AGENT, "--reason", "a leaked key")
    answered = decide(browser, page, page.form.choices)
    assert answered.response.status_code == 409
    assert "The bank has stopped this assistant" in answered.text
    assert server.rows(select(DelegationGrant.grant_id).where(DelegationGrant.sub == customer)) == []


def test_a_draft_begins_when_it_is_resumed(server: AuthServer, registry: Registry) -> None:
    key = SigningKey.generate()
    assert registry.register("--draft", keys=key)["state"] == "draft"
    agent = registry.client(key)
    assert refusal(agent.token(grant_type="client_credentials")) == NOT_ACTIVE
    assert registry("resume", OTHER)["state"] == "active"
    assert agent.token(grant_type="client_credentials").status_code == 200


def test_a_registered_agent_acts_with_the_customers_consent_under_its_registered_name(
    server: AuthServer, registry: Registry
) -> None:
    key = SigningKey.generate()
    registry.register("--max-seconds", "60", keys=key)
    page, tokens = sign_on_for(server, OTHER, server.new_customer())
    assert "May Card Assistant act for you?" in page.text
    assert "Robin Keller" in page.text
    assert page.form.choices == {f"allow:{BALANCE}"}
    server.agent = registry.client(key, OTHER)
    token = server.exchange(tokens.token_for(OTHER)).json()
    assert claims(token["access_token"])["act"] == {"sub": OTHER}
    assert token["expires_in"] == 60
    assert server.agent.token(grant_type="client_credentials").json()["expires_in"] == 60
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    [grant] = server.http.get("/grants", headers=own).json()["grants"]
    assert grant["agent"] == {
        "id": OTHER,
        "name": "Card Assistant",
        "owner": "Robin Keller",
        "state": "active",
        "is_for_you": True,
        "max_transfer_minor": None,
    }


def test_an_agent_acts_for_the_customers_listed_and_no_others(server: AuthServer, registry: Registry) -> None:
    listed, other = server.new_customer(), server.new_customer()
    tokens = server.sign_on(other)
    subject_token = tokens.token_for(AGENT)
    registry("edit", AGENT, "--customer", listed)
    assert refusal(server.exchange(subject_token)) == (400, "invalid_request")
    assert refusal(tokens.refresh(resource=AGENT)) == (400, "invalid_target")
    page = sign_on(server.browser(), AuthorizationRequest(), server.new_customer())
    assert "Bank Assistant cannot act for you" in page.text
    assert server.exchange(server.sign_on(listed).token_for(AGENT)).status_code == 200
    registry("edit", AGENT, "--any-customer")
    assert server.exchange(subject_token).status_code == 200


def test_an_edited_scope_counts_at_the_next_exchange(server: AuthServer, registry: Registry) -> None:
    tokens = server.sign_on(server.new_customer())
    subject_token = tokens.token_for(AGENT)
    assert server.exchange(subject_token, scope=TRANSACTIONS).status_code == 200
    registry("edit", AGENT, "--scope", f"{ACCOUNT_API}={BALANCE}")
    assert refusal(server.exchange(subject_token, scope=TRANSACTIONS)) == (400, "invalid_scope")
    assert server.exchange(subject_token, scope=BALANCE).status_code == 200
    assert tokens.refresh(resource=AGENT).json()["scope"] == BALANCE


def test_a_changed_setting_moves_the_seeded_agents_keys_and_nothing_else(
    server: AuthServer, registry: Registry, app_keys: JwksServer
) -> None:
    registry("edit", AGENT, "--name", "Bank Helper")
    moved = JwksServer([SigningKey.generate()])
    with moved.serving(), restarted(server, app_keys, moved) as again:
        shown = Registry(again)("show", AGENT)
        assert again.agent.token(grant_type="client_credentials").status_code == 200
    assert (shown["name"], shown["jwks_uri"]) == ("Bank Helper", moved.jwks_uri)
    assert shown["history"][-1]["why"] == "AGENT_JWKS_URI has changed"


def test_keys_that_staff_moved_stay_until_the_setting_changes(
    server: AuthServer, registry: Registry, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    elsewhere = "https://keys.example.com/jwks.json"
    registry("edit", AGENT, "--jwks-uri", elsewhere)
    with restarted(server, app_keys, agent_keys) as again:
        assert Registry(again)("show", AGENT)["jwks_uri"] == elsewhere


def test_a_database_from_before_the_registry_is_brought_up_to_date(
    server: AuthServer, app_keys: JwksServer, agent_keys: JwksServer
) -> None:
    tokens = server.sign_on(server.new_customer())
    subject_token = tokens.token_for(AGENT)
    with server.context.engine.begin() as connection:
        for table in ("agent", "agent_change"):
            connection.execute(text(f"DROP TABLE {table}"))
    done = Registry(server).run("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "start the server once" in done.stderr
    with restarted(server, app_keys, agent_keys) as again:
        assert [agent["id"] for agent in Registry(again)("list")] == [AGENT]
        assert again.exchange(subject_token).status_code == 200


def restarted(
    server: AuthServer, app_keys: JwksServer, agent_keys: JwksServer
) -> AbstractContextManager[AuthServer]:
    """Start another server on the same data."""
    settings = server.settings
    url = settings.database_url
    return running_server(settings.data_dir, app_keys, agent_keys, SetClock(), database_url=url)
