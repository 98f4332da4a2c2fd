"""schemathesis at the administration API in each role: no 500, no answer that is not described, no trespass.

Issue 4, point 5.
"""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from auth_server.agent_tables import RegisteredAgent
from auth_server.tables import Customer, DelegationGrant, Staff
from tests.auth_server.administration import StaffMember, described, staff_member
from tests.auth_server.servers import (
    AGENT,
    ISSUER,
    PASSWORD,
    AuthorizationRequest,
    AuthServer,
    decide,
    running_server,
    sign_on,
)
from tests.clock import SetClock
from tests.jwks_server import JwksServer
from tests.postgres import Postgres
from tests.schemathesis_run import schemathesis

DEMO = "bank-demo"
EXAMPLES = 8
ADMINISTRATION = ("--include-path-regex", "^/admin")


@pytest.fixture
def server(tmp_path: Path, postgres: Postgres, app_keys: JwksServer, agent_keys: JwksServer) -> Any:
    """A server with the people and the agent that the document's examples name.

    On PostgreSQL, because it is the stricter one about text: it refuses NUL and half surrogate pairs.
    """
    settings = {"database_url": postgres.new_database(), "demo_password": DEMO}
    with running_server(tmp_path, app_keys, agent_keys, SetClock(), **settings) as running:
        staff_member(running, "administrator").done(
            "POST", "/admin/agents", described(owner_sub=running.new_staff("owner"))
        )
        _sign_on(running, "maria@example.com")
        yield running


def _sign_on(server: AuthServer, sub: str, password: str = DEMO) -> StaffMember:
    browser, request = server.browser(), AuthorizationRequest()
    page = sign_on(browser, request, sub, password)
    if page.response.is_success:
        page = decide(browser, page, page.form.choices)
    tokens = server.redeem(browser, page, request, resource=ISSUER)
    return StaffMember(server, sub, tokens.first["access_token"])


def kept(server: AuthServer, *tables: Any) -> list[Any]:
    """Return all that stands in these tables."""
    return [
        server.rows(select(*table.__table__.columns).order_by(*table.__table__.primary_key))
        for table in tables
    ]


def test_an_administrator(server: AuthServer, tmp_path: Path) -> None:
    staff = kept(server, Staff)
    schemathesis(
        server.url, str(_sign_on(server, "admin@example.com").token), tmp_path, EXAMPLES, *ADMINISTRATION
    )
    assert kept(server, Staff) == staff
    decided = {(r["operation"], r["decision"]) for r in server.records(sub="admin@example.com")}
    for operation in ("agent.list", "agent.show", "agent.register", "agent.suspend", "customer.disable"):
        assert (operation, "permit") in decided, "the examples lead nowhere"


def test_an_owner_changes_nothing_that_is_not_its_own(server: AuthServer, tmp_path: Path) -> None:
    not_own = select(RegisteredAgent.agent_id, RegisteredAgent.state, RegisteredAgent.name).where(
        RegisteredAgent.owner_sub != "olivia@example.com"
    )
    before = server.rows(not_own), kept(server, Staff, Customer)
    schemathesis(
        server.url, str(_sign_on(server, "olivia@example.com").token), tmp_path, EXAMPLES, *ADMINISTRATION
    )
    assert (server.rows(not_own), kept(server, Staff, Customer)) == before
    assert server.records(sub="olivia@example.com", operation="agent.suspend", decision="permit")


@pytest.mark.parametrize("sub", ["audit@example.com", "maria@example.com"])
def test_an_auditor_and_a_customer_change_nothing(server: AuthServer, tmp_path: Path, sub: str) -> None:
    token = str(_sign_on(server, sub).token)
    before = kept(server, RegisteredAgent, Staff, Customer, DelegationGrant)
    schemathesis(server.url, token, tmp_path, EXAMPLES, *ADMINISTRATION)
    assert kept(server, RegisteredAgent, Staff, Customer, DelegationGrant) == before


def test_an_agent_with_a_delegation_token_changes_nothing(server: AuthServer, tmp_path: Path) -> None:
    subject_token = server.sign_on(server.new_customer()).token_for(AGENT)
    token = server.exchange(subject_token).json()["access_token"]
    before = kept(server, RegisteredAgent, Staff, Customer, DelegationGrant)
    schemathesis(server.url, token, tmp_path, EXAMPLES, *ADMINISTRATION)
    assert kept(server, RegisteredAgent, Staff, Customer, DelegationGrant) == before


def test_a_member_of_staff_at_the_interfaces_of_customers(server: AuthServer, tmp_path: Path) -> None:
    member = _sign_on(server, server.new_staff("administrator"), PASSWORD)
    schemathesis(
        server.url,
        str(member.token),
        tmp_path,
        EXAMPLES,
        "--include-path-regex",
        "^/(userinfo|grants|records)",
    )
