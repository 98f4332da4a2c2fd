"""Who may do what at the administration API: every endpoint, every role, and everybody else (issue 4)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.auth_server.administration import BECAUSE, StaffMember, allow, described, staff_member
from tests.auth_server.registry import Registry
from tests.auth_server.servers import ACCOUNT_API, AGENT, ISSUER, AuthServer, claims

Sent = tuple[dict[str, Any], Any]
"""The parameters of the query, and the body."""


@dataclass(frozen=True)
class People:
    """Staff of each role, and everybody else who holds something."""

    by_name: dict[str, StaffMember]

    def __getitem__(self, name: str) -> StaffMember:
        return self.by_name[name]


@pytest.fixture(scope="module")
def people(server: AuthServer) -> People:
    """The same people for every request: what each may do does not wear off."""
    by_name = {role: staff_member(server, role) for role in ("administrator", "owner", "auditor")}
    customer = server.new_customer()
    tokens = server.sign_on(customer)
    subject_token, actor_token = tokens.token_for(AGENT), server.actor_token()
    delegation_token = server.exchange(subject_token, actor_token).json()["access_token"]
    others = {
        "customer": tokens.token_for(ISSUER),
        "delegation": delegation_token,
        "subject": subject_token,
        "actor": actor_token,
        "app": tokens.token_for(ACCOUNT_API),
        "nobody": None,
    }
    return People(by_name | {name: StaffMember(server, customer, token) for name, token in others.items()})


class Things:
    """What a request is about, made anew for it by an administrator: an agent, a grant, a customer."""

    def __init__(self, server: AuthServer, administrator: StaffMember, owner_sub: str | None) -> None:
        self._server = server
        self._administrator = administrator
        self.owner_sub = owner_sub

    def agent(self, **changes: Any) -> dict[str, str]:
        return {"agent_id": self._administrator.register(owner_sub=self.owner_sub, **changes)}

    def grant_id(self) -> str:
        agent = self.agent()
        allow(self._server, agent["agent_id"])
        [grant] = self._administrator.get("/admin/agent/grants", **agent)["grants"]
        grant_id: str = grant["grant_id"]
        return grant_id

    def customer(self) -> dict[str, str]:
        return {"sub": self._server.new_customer()}

    def disabled_customer(self) -> dict[str, str]:
        customer = self.customer()
        self._administrator.done("POST", "/admin/customer/disable", BECAUSE, **customer)
        return customer


ENDPOINTS: dict[str, Callable[[Things], Sent]] = {
    "GET /admin/agents": lambda things: ({}, None),
    "GET /admin/agent": lambda things: (things.agent(), None),
    "POST /admin/agents": lambda things: ({}, described(owner_sub=things.owner_sub)),
    "PATCH /admin/agent": lambda things: (things.agent(), {"purpose": "Blocks cards"}),
    "POST /admin/agent/keys": lambda things: (things.agent(), {"add": described()["jwks"]}),
    "POST /admin/agent/suspend": lambda things: (things.agent(), BECAUSE),
    "POST /admin/agent/resume": lambda things: (things.agent(draft=True), BECAUSE),
    "POST /admin/agent/retire": lambda things: (things.agent(), BECAUSE),
    "GET /admin/agent/history": lambda things: (things.agent(), None),
    "GET /admin/agent/grants": lambda things: (things.agent(), None),
    "POST /admin/grants/{grant_id}/withdraw": lambda things: ({"grant_id": things.grant_id()}, BECAUSE),
    "GET /admin/customers": lambda things: ({}, None),
    "POST /admin/customer/disable": lambda things: (things.customer(), BECAUSE),
    "PUT /admin/customer/groups": lambda things: (things.customer(), {"groups": ["pilot"]}),
    "POST /admin/customer/enable": lambda things: (things.disabled_customer(), BECAUSE),
}

TABLE = """
                                        | administrator | owner | other owner | auditor | customer | others
GET /admin/agents                       | 200           | 200   | 200         | 200     | 403      | 401
GET /admin/agent                        | 200           | 200   | 404         | 200     | 403      | 401
POST /admin/agents                      | 201           | 201   | 403         | 403     | 403      | 401
PATCH /admin/agent                      | 200           | 200   | 404         | 403     | 403      | 401
POST /admin/agent/keys                  | 200           | 200   | 404         | 403     | 403      | 401
POST /admin/agent/suspend               | 200           | 200   | 404         | 403     | 403      | 401
POST /admin/agent/resume                | 200           | 200   | 404         | 403     | 403      | 401
POST /admin/agent/retire                | 200           | 200   | 404         | 403     | 403      | 401
GET /admin/agent/history                | 200           | 200   | 404         | 200     | 403      | 401
GET /admin/agent/grants                 | 200           | 200   | 404         | 200     | 403      | 401
POST /admin/grants/{grant_id}/withdraw  | 204           | 204   | 404         | 403     | 403      | 401
GET /admin/customers                    | 200           | 403   | 403         | 403     | 403      | 401
POST /admin/customer/disable            | 200           | 403   | 403         | 403     | 403      | 401
PUT /admin/customer/groups              | 200           | 403   | 403         | 403     | 403      | 401
POST /admin/customer/enable             | 200           | 403   | 403         | 403     | 403      | 401
"""
OTHERS = ("delegation", "subject", "actor", "app", "nobody")
"""Whoever holds no token of a person's own for this server."""


def cells() -> list[tuple[str, str, int]]:
    """Return the table: endpoint, who, and the status that they get."""
    [head, *rows] = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip("\n").splitlines()]
    return [
        (row[0], who, int(status))
        for row in rows
        for column, status in zip(head[1:], row[1:], strict=True)
        for who in (OTHERS if column == "others" else (column,))
    ]


@pytest.mark.parametrize(("endpoint", "who", "status"), cells())
def test_who_may_do_what(server: AuthServer, people: People, endpoint: str, who: str, status: int) -> None:
    is_other = who == "other owner"
    owner_sub = server.new_staff("owner") if is_other else people["owner"].sub
    parameters, sent = ENDPOINTS[endpoint](Things(server, people["administrator"], owner_sub))
    method, path = endpoint.split()
    caller = people["owner" if is_other else who]
    path = path.format(grant_id=parameters.pop("grant_id", ""))
    response = caller.request(method, path, sent, **parameters)
    assert response.status_code == status, response.text
    if status in {401, 403, 404}:
        assert response.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in response.headers) == (status == 401 or _lacks_scope(who, status, endpoint))
    operation = server.http.get("/openapi.json").json()["paths"][endpoint.split()[1]][method.lower()]
    assert str(status) in operation["responses"]


def _lacks_scope(who: str, status: int, endpoint: str) -> bool:
    """An owner or an auditor has the scope to read, but only an administrator sees customers."""
    writes = not endpoint.startswith("GET")
    return status == 403 and (who == "customer" or (who == "auditor" and writes))


def test_the_table_has_every_endpoint_of_the_administration_api(server: AuthServer) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    described_ones = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "administration" in operation["tags"]
    }
    assert described_ones == ENDPOINTS.keys() == {endpoint for endpoint, _, _ in cells()}
    assert {path for path in paths if path.startswith("/admin")} == {e.split()[1] for e in ENDPOINTS}


REFUSED = [
    (endpoint, who) for endpoint, who, status in cells() if status in {401, 403} and "owner" not in who
]


@pytest.mark.parametrize(("endpoint", "who"), REFUSED)
def test_whoever_may_not_is_told_nothing_about_parameters(people: People, endpoint: str, who: str) -> None:
    method, path = endpoint.split()
    response = people[who].request(method, path.format(grant_id="a b"), {"nonsense": 1}, limit="x")
    assert response.status_code in {401, 403}


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("administrator", "agents:read agents:write audit:read openid profile"),
        ("owner", "agents:read agents:write audit:read openid profile"),
        ("auditor", "agents:read audit:read openid profile"),
    ],
)
def test_a_token_carries_what_the_role_permits(server: AuthServer, role: str, scope: str) -> None:
    tokens = server.staff_sign_on(server.new_staff(role))
    assert tokens.first["scope"] == claims(tokens.first["access_token"])["scope"] == scope
    assert tokens.refresh(resource=ISSUER).json()["scope"] == scope


def test_an_owner_resumes_what_an_owner_suspended_and_nothing_that_was_stopped_from_above(
    server: AuthServer, people: People
) -> None:
    owner, administrator, command = people["owner"], people["administrator"], Registry(server)
    agent = {"agent_id": owner.register()}

    def resumed_by_owner() -> bool:
        answer = owner.request("POST", "/admin/agent/resume", BECAUSE, **agent)
        if answer.status_code != 403:
            return answer.status_code == 200
        assert answer.json()["detail"] == (
            "An owner resumes what an owner suspended; ask an administrator to let this agent go on."
        )
        assert owner.get("/admin/agent", **agent)["state"] == "suspended"
        denied = server.records(operation="agent.resume", sub=owner.sub, decision="deny")
        assert denied[-1]["reason"].startswith("An owner resumes")
        return False

    def suspended_by(member: StaffMember) -> str | None:
        role: str | None = member.done("POST", "/admin/agent/suspend", BECAUSE, **agent)["suspended_by_role"]
        return role

    assert suspended_by(owner) == "owner"
    assert resumed_by_owner()
    assert suspended_by(administrator) == "administrator"
    assert not resumed_by_owner()
    assert administrator.done("POST", "/admin/agent/resume", BECAUSE, **agent)["suspended_by_role"] is None
    command("suspend", agent["agent_id"], "--reason", "the test")
    assert not resumed_by_owner()
    command("resume", agent["agent_id"])
    assert suspended_by(owner) == "owner"
    assert suspended_by(administrator) == "administrator", "it takes over what the owner began"
    assert not resumed_by_owner()
    assert administrator.request("POST", "/admin/agent/suspend", BECAUSE, **agent).status_code == 409
    administrator.done("POST", "/admin/agent/resume", BECAUSE, **agent)
    assert suspended_by(owner) == "owner"
    assert resumed_by_owner()


def test_a_role_taken_away_counts_at_once_whatever_the_token_says(server: AuthServer) -> None:
    member = staff_member(server, "administrator")
    assert member.request("GET", "/admin/customers").status_code == 200
    for role, status in (("owner", 403), ("auditor", 403), ("administrator", 200)):
        server.set_role(member.sub, role)
        assert member.request("GET", "/admin/customers").status_code == status
    server.set_role(member.sub, "auditor")
    refused = member.request("POST", "/admin/agents", described())
    assert refused.status_code == 403
    assert 'scope="agents:write"' in refused.headers["www-authenticate"]


def test_a_role_that_was_given_is_in_the_next_token(server: AuthServer) -> None:
    sub = server.new_staff("auditor")
    tokens = server.staff_sign_on(sub)
    server.set_role(sub, "administrator")
    before = StaffMember(server, sub, tokens.first["access_token"])
    assert before.request("POST", "/admin/agents", described()).status_code == 403
    after = StaffMember(server, sub, tokens.token_for(ISSUER))
    assert after.request("POST", "/admin/agents", described()).status_code == 201
