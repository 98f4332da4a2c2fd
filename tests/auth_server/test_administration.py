"""What the administration API does: list, show, register, edit, stop, keys, grants, customers (issue 4)."""

import json
from typing import Any

import pytest

from delegation.signing_key import SigningKey
from tests.auth_server.administration import BECAUSE, StaffMember, allow, described, staff_member
from tests.auth_server.client import RegisteredClient, ask, refusal
from tests.auth_server.servers import (
    ACCOUNT_API,
    AGENT,
    BALANCE,
    ISSUER,
    TRANSACTIONS,
    AuthServer,
)

REFUSED_KEY = (401, "invalid_client")


@pytest.fixture(scope="module")
def administrator(server: AuthServer) -> StaffMember:
    return staff_member(server, "administrator")


@pytest.fixture
def owner(server: AuthServer) -> StaffMember:
    """An owner whom only this test knows, and so are its agents."""
    return staff_member(server, "owner")


def refused(response: Any) -> tuple[int, str]:
    """Return status and detail of a refusal, which must be a problem document that no cache keeps."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    return response.status_code, body["detail"]


def test_an_owner_sees_its_own_agents_page_by_page(owner: StaffMember, administrator: StaffMember) -> None:
    mine = sorted(owner.register() for _ in range(3))
    administrator.register()
    listed = owner.get("/admin/agents")
    assert ([agent["agent_id"] for agent in listed["agents"]], listed["total"]) == (mine, 3)
    page = owner.get("/admin/agents", limit=2, offset=1)
    assert ([agent["agent_id"] for agent in page["agents"]], page["total"]) == (mine[1:], 3)


def test_agents_are_listed_by_state(owner: StaffMember) -> None:
    draft, active = owner.register(draft=True), owner.register()
    suspended, retired = owner.register(), owner.register()
    owner.done("POST", "/admin/agent/suspend", BECAUSE, agent_id=suspended)
    owner.done("POST", "/admin/agent/retire", BECAUSE, agent_id=retired)
    for state, agent in (
        ("draft", draft),
        ("active", active),
        ("suspended", suspended),
        ("retired", retired),
    ):
        [found] = owner.get("/admin/agents", state=state)["agents"]
        assert (found["agent_id"], found["state"], found["owner_sub"]) == (agent, state, owner.sub)
    assert owner.request("GET", "/admin/agents", state="asleep").status_code == 422


def test_the_administrator_and_the_auditor_see_every_agent(server: AuthServer, owner: StaffMember) -> None:
    agent = owner.register()
    for role in ("administrator", "auditor"):
        member = staff_member(server, role)
        total = member.get("/admin/agents", limit=1)["total"]
        assert total > 1
        last = member.get("/admin/agents", limit=100, offset=max(0, total - 100))["agents"]
        assert agent in {one["agent_id"] for one in last} | {
            member.get("/admin/agent", agent_id=agent)["agent_id"]
        }


def test_what_was_registered_is_shown_with_its_history_and_of_keys_the_kid_alone(owner: StaffMember) -> None:
    key = SigningKey.generate()
    sent = described(
        jwks=[key.public_jwk],
        max_seconds=60,
        customers=["customer@example.com"],
        groups=["pilot"],
        max_transfer_minor=5000,
    )
    answer = owner.request("POST", "/admin/agents", sent | {"reason": "ticket 7"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    shown = owner.get("/admin/agent", agent_id=sent["agent_id"])
    assert shown == answer.json()
    [entry] = shown.pop("history")
    expected = {name: value for name, value in sent.items() if name != "jwks"}
    assert shown == expected | {
        "owner_sub": owner.sub,
        "state": "active",
        "suspended_by_role": None,
        "kids": [key.kid],
        "jwks_uri": None,
        "earlier": None,
    }
    assert (entry["who"], entry["action"], entry["why"]) == (owner.sub, "register", "ticket 7")
    assert key.public_jwk["x"] not in answer.text


def test_a_registered_agent_can_authenticate_be_allowed_and_exchange(
    server: AuthServer, owner: StaffMember
) -> None:
    key = SigningKey.generate()
    agent_id = owner.register(jwks=[key.public_jwk])
    agent = RegisteredClient(agent_id, key, ISSUER, server.clock, server.http)
    subject_token = allow(server, agent_id).token_for(agent_id)
    actor_token = agent.token(grant_type="client_credentials").json()["access_token"]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": subject_token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "actor_token": actor_token,
        "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "resource": ACCOUNT_API,
        "scope": BALANCE,
    }
    delegation_token = agent.token(**form).json()["access_token"]
    assert agent.introspect(delegation_token)["active"]
    owner.done("POST", "/admin/agent/suspend", BECAUSE, agent_id=agent_id)
    assert refusal(agent.token(**form)) == REFUSED_KEY
    assert server.app.introspect(subject_token)["active"]
    owner.done("POST", "/admin/agent/resume", BECAUSE, agent_id=agent_id)
    assert agent.introspect(delegation_token) == {"active": False}


def test_an_edit_changes_what_is_named_and_no_more(owner: StaffMember) -> None:
    agent = {"agent_id": owner.register(max_transfer_minor=100, customers=["customer@example.com"])}
    before = owner.get("/admin/agent", **agent)
    changes = {"purpose": "Blocks cards", "scopes": {ACCOUNT_API: [TRANSACTIONS]}, "max_transfer_minor": None}
    after = owner.done("PATCH", "/admin/agent", changes | {"customers": None, "reason": "new job"}, **agent)
    entry = after.pop("history")[-1]
    before.pop("history")
    assert after == before | changes | {"customers": None}
    assert (entry["who"], entry["action"], entry["why"]) == (owner.sub, "edit", "new job")
    assert entry["changes"]["max_transfer_minor"] == [100, None]


def test_keys_are_edited_from_a_jwks_uri_to_uploaded_ones_and_back(owner: StaffMember) -> None:
    agent, key = (
        {"agent_id": owner.register(jwks=None, jwks_uri="https://a.example.com/jwks")},
        SigningKey.generate(),
    )
    shown = owner.done("PATCH", "/admin/agent", {"jwks": [key.public_jwk]}, **agent)
    assert (shown["jwks_uri"], shown["kids"]) == (None, [key.kid])
    shown = owner.done("PATCH", "/admin/agent", {"jwks_uri": "https://b.example.com/jwks"}, **agent)
    assert (shown["jwks_uri"], shown["kids"]) == ("https://b.example.com/jwks", [])


def test_keys_are_rotated_and_the_removed_one_is_refused_at_once(
    server: AuthServer, owner: StaffMember
) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    agent_id = owner.register(jwks=[old.public_jwk])
    agent = RegisteredClient(agent_id, old, ISSUER, server.clock, server.http)
    shown = owner.done("POST", "/admin/agent/keys", {"add": [new.public_jwk]}, agent_id=agent_id)
    assert shown["kids"] == [old.kid, new.kid]
    for key in (old, new):
        assert ask(agent, agent.assertion(key=key)) == (200, "")
    shown = owner.done(
        "POST", "/admin/agent/keys", {"remove": old.kid, "reason": "its year is over"}, agent_id=agent_id
    )
    assert shown["kids"] == [new.kid]
    assert ask(agent, agent.assertion(key=old)) == REFUSED_KEY
    assert ask(agent, agent.assertion(key=new)) == (200, "")
    assert shown["history"][-1]["changes"] == {"jwks": [[old.kid, new.kid], [new.kid]]}


def test_only_an_administrator_gives_an_agent_to_another_owner(
    server: AuthServer, owner: StaffMember, administrator: StaffMember
) -> None:
    agent, other = {"agent_id": owner.register(owner_sub=owner.sub)}, staff_member(server, "owner")
    for owner_sub in (other.sub, None):
        assert owner.request("PATCH", "/admin/agent", {"owner_sub": owner_sub}, **agent).status_code == 403
    assert other.request("GET", "/admin/agent", **agent).status_code == 404
    administrator.done("PATCH", "/admin/agent", {"owner_sub": other.sub}, **agent)
    assert owner.request("GET", "/admin/agent", **agent).status_code == 404
    assert other.get("/admin/agent", **agent)["owner_sub"] == other.sub
    administrator.done("PATCH", "/admin/agent", {"owner_sub": None}, **agent)
    assert other.request("GET", "/admin/agent", **agent).status_code == 404


@pytest.mark.parametrize("role", ["auditor", "customer", "nobody"])
def test_nobody_answers_for_an_agent_who_cannot(
    server: AuthServer, administrator: StaffMember, role: str
) -> None:
    subs = {"customer": server.new_customer(), "nobody": "nobody@example.com"}
    sub = subs[role] if role in subs else server.new_staff(role)
    answer = administrator.request("POST", "/admin/agents", described(owner_sub=sub))
    assert refused(answer) == (422, "owner_sub: must be a member of staff, not disabled, and no auditor")
    agent = {"agent_id": administrator.register()}
    assert administrator.request("PATCH", "/admin/agent", {"owner_sub": sub}, **agent).status_code == 422


def test_anothers_agent_and_one_that_does_not_exist_look_the_same(
    owner: StaffMember, administrator: StaffMember
) -> None:
    for method, path, sent in (
        ("GET", "/admin/agent", None),
        ("GET", "/admin/agent/history", None),
        ("GET", "/admin/agent/grants", None),
        ("PATCH", "/admin/agent", {"name": "Mine"}),
        ("POST", "/admin/agent/retire", BECAUSE),
    ):
        anothers = owner.request(method, path, sent, agent_id=administrator.register())
        unknown = owner.request(method, path, sent, agent_id="https://nowhere.example.com")
        assert refused(anothers) == refused(unknown)
        assert anothers.status_code == 404


def test_a_grant_of_anothers_agent_and_one_that_does_not_exist_look_the_same(
    server: AuthServer, owner: StaffMember, administrator: StaffMember
) -> None:
    agent_id = administrator.register()
    allow(server, agent_id)
    [grant] = administrator.get("/admin/agent/grants", agent_id=agent_id)["grants"]
    anothers = owner.request("POST", f"/admin/grants/{grant['grant_id']}/withdraw", BECAUSE)
    unknown = owner.request("POST", "/admin/grants/nothing/withdraw", BECAUSE)
    assert (anothers.status_code, unknown.status_code) == (404, 404)
    assert anothers.json() == unknown.json()


@pytest.mark.parametrize(
    ("path", "states"),
    [("suspend", ["draft", "suspended"]), ("resume", ["active"]), ("retire", ["retired"])],
)
def test_a_transition_that_there_is_not_is_a_conflict(
    owner: StaffMember, path: str, states: list[str]
) -> None:
    brought = {"suspended": "suspend", "retired": "retire"}
    for state in states:
        agent = {"agent_id": owner.register(draft=state == "draft")}
        if state in brought:
            owner.done("POST", f"/admin/agent/{brought[state]}", BECAUSE, **agent)
        status, detail = refused(owner.request("POST", f"/admin/agent/{path}", BECAUSE, **agent))
        assert status == 409
        assert f"is {state}" in detail


def test_a_retired_agent_stays_as_it_is(owner: StaffMember) -> None:
    agent = {"agent_id": owner.register()}
    owner.done("POST", "/admin/agent/retire", BECAUSE, **agent)
    assert owner.request("PATCH", "/admin/agent", {"name": "Phoenix"}, **agent).status_code == 409
    keys = {"add": described()["jwks"]}
    assert owner.request("POST", "/admin/agent/keys", keys, **agent).status_code == 409


def test_an_identifier_is_used_once_and_is_nobody_elses_name(server: AuthServer, owner: StaffMember) -> None:
    agent_id = owner.register()
    for taken in (agent_id, AGENT, ACCOUNT_API):
        status, detail = refused(owner.request("POST", "/admin/agents", described(agent_id=taken)))
        assert (status, taken in detail) == (409, True)


PRIVATE = {"kty": "EC", "crv": "P-256", "x": "x", "y": "y", "d": "d", "kid": "k"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"agent_id": "http://agent.example.com"}, "agent_id"),
        ({"agent_id": None}, "agent_id"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "a\x9b31mb"}, "name"),
        ({"purpose": "a\u202eb"}, "purpose"),
        ({"owner": "a\u2028b"}, "owner"),
        ({"owner": "x" * 513}, "owner"),
        ({"jwks": [PRIVATE]}, "private key"),
        ({"jwks": []}, "at least one"),
        ({"jwks_uri": "https://a.example.com/jwks"}, "either"),
        ({"scopes": {}}, "scopes"),
        ({"scopes": {ACCOUNT_API: ["agents:write"]}}, "scopes"),
        ({"scopes": {ACCOUNT_API: []}}, "scopes"),
        ({"max_seconds": 301}, "max_seconds"),
        ({"customers": []}, "customers"),
        ({"max_seconds": True}, "max_seconds"),
        ({"max_transfer_minor": 0}, "max_transfer_minor"),
        ({"max_transfer_minor": True}, "max_transfer_minor"),
        ({"max_transfer_minor": "250"}, "max_transfer_minor"),
        ({"max_transfer_minor": 250.0}, "max_transfer_minor"),
        ({"max_transfer_minor": 2**53}, "max_transfer_minor"),
        ({"state": "active"}, "state"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "a\u2066b"}, "reason"),
    ],
)
def test_what_is_registered_is_checked_and_every_fault_is_named(
    owner: StaffMember, changes: dict[str, Any], named: str
) -> None:
    status, detail = refused(owner.request("POST", "/admin/agents", described(**changes)))
    assert status == 422
    assert named in detail
    assert owner.get("/admin/agents")["total"] == 0


@pytest.mark.parametrize("changes", [{}, {"name": None}, {"agent_id": "https://b.example.com"}, {"jwks": []}])
def test_an_edit_that_cannot_be_is_refused(owner: StaffMember, changes: dict[str, Any]) -> None:
    agent = {"agent_id": owner.register()}
    assert owner.request("PATCH", "/admin/agent", changes, **agent).status_code in {409, 422}
    assert len(owner.get("/admin/agent", **agent)["history"]) == 1


def test_a_history_is_shown_page_by_page_and_nobody_elses(
    owner: StaffMember, administrator: StaffMember
) -> None:
    agent = {"agent_id": owner.register()}
    for number in range(23):
        owner.done("PATCH", "/admin/agent", {"name": f"Number {number}"}, **agent)
    shown = owner.get("/admin/agent", **agent)
    names = [entry["changes"]["name"][1] for entry in shown["history"]]
    assert names == [f"Number {number}" for number in range(3, 23)]
    first = owner.get("/admin/agent/history", **agent)
    assert first == {"history": shown["history"], "earlier": shown["earlier"]}
    last = owner.get("/admin/agent/history", **agent, before=shown["earlier"])
    assert [entry["action"] for entry in last["history"]] == ["register", "edit", "edit", "edit"]
    assert last["earlier"] is None
    whole = owner.get("/admin/agent/history", **agent, limit=24)
    assert whole == {"history": last["history"] + first["history"], "earlier": None}
    assert owner.get("/admin/agent/history", **agent, limit=24, before=2**63 - 1) == whole
    assert owner.request("GET", "/admin/agent/history", **agent, limit=101).status_code == 422
    other = staff_member(owner.server, "owner")
    assert other.request("GET", "/admin/agent/history", **agent).status_code == 404
    assert administrator.get("/admin/agent/history", **agent, limit=24) == whole


def test_without_a_reason_nobody_is_stopped(owner: StaffMember, administrator: StaffMember) -> None:
    agent = {"agent_id": owner.register()}
    malformed: tuple[Any, ...] = ({}, {"reason": ""}, {"reason": " "}, {"reason": None}, [], "x")
    for sent in malformed:
        assert owner.request("POST", "/admin/agent/suspend", sent, **agent).status_code == 422
        assert administrator.request("POST", "/admin/customer/disable", sent, sub="x").status_code == 422
    assert owner.get("/admin/agent", **agent)["state"] == "active"


def test_a_body_is_json_whole_and_of_a_bounded_length(server: AuthServer, owner: StaffMember) -> None:
    headers = {"authorization": f"Bearer {owner.token}"}
    deep = "[" * 50_000
    half = json.dumps({"name": "\ud800"})
    for content, kind, status in (
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 422),
        (b"\xff", "application/json", 422),
        (deep.encode(), "application/json", 422),
        (half.encode(), "application/json", 422),
        (b" " * 70_000, "application/json", 413),
    ):
        sent = headers | {"content-type": kind}
        answer = server.http.post("/admin/agents", content=content, headers=sent)
        assert refused(answer)[0] == status, content[:20]


def test_grants_are_counted_and_those_in_force_are_listed(server: AuthServer, owner: StaffMember) -> None:
    agent_id = owner.register()
    first, second = server.new_customer(), server.new_customer()
    allow(server, agent_id, first)
    tokens = allow(server, agent_id, second)
    seen = owner.get("/admin/agent/grants", agent_id=agent_id)
    assert seen["numbers"] == {"in_force": 2, "withdrawn": 0, "expired": 0}
    assert {grant["customer"] for grant in seen["grants"]} == {first, second}
    grant = next(grant for grant in seen["grants"] if grant["customer"] == second)
    assert (grant["scope"], grant["last_used_at"]) == (BALANCE, None)
    assert grant["created_at"] < grant["expires_at"]
    assert len(owner.get("/admin/agent/grants", agent_id=agent_id, limit=1, offset=1)["grants"]) == 1
    own = {"authorization": f"Bearer {tokens.token_for(ISSUER)}"}
    server.http.delete(f"/grants/{grant['grant_id']}", headers=own)
    seen = owner.get("/admin/agent/grants", agent_id=agent_id)
    assert seen["numbers"] == {"in_force": 1, "withdrawn": 1, "expired": 0}
    assert [grant["customer"] for grant in seen["grants"]] == [first]


def test_an_expired_grant_is_counted_as_such(own_server: AuthServer) -> None:
    own_server.sign_on(own_server.new_customer())
    own_server.clock.forward(days=91)
    member = staff_member(own_server, "auditor")
    seen = member.get("/admin/agent/grants", agent_id=AGENT)
    assert seen == {"numbers": {"in_force": 0, "withdrawn": 0, "expired": 1}, "grants": []}


def test_a_grant_withdrawn_by_staff_ends_what_the_agent_has_of_it(
    server: AuthServer, administrator: StaffMember, customer: str
) -> None:
    subject_token, actor_token = server.sign_on(customer).token_for(AGENT), server.actor_token()
    delegation_token = server.exchange(subject_token, actor_token).json()["access_token"]
    grants = administrator.get("/admin/agent/grants", agent_id=AGENT, limit=100)["grants"]
    [grant] = [grant for grant in grants if grant["customer"] == customer]
    assert grant["last_used_at"] is not None
    address = f"/admin/grants/{grant['grant_id']}/withdraw"
    assert administrator.request("POST", address, BECAUSE).status_code == 204
    assert server.agent.introspect(delegation_token) == {"active": False}
    assert refusal(server.exchange(subject_token, actor_token)) == (400, "invalid_request")
    assert administrator.request("POST", address, BECAUSE).status_code == 404
    [record] = server.records(operation="grant.withdraw", resource=f"/grants/{grant['grant_id']}")
    assert (record["sub"], record["act"]) == (administrator.sub, [AGENT])
    assert record["reason"] == f"{administrator.sub}, for {customer}: the test"


def test_customers_are_listed_page_by_page(server: AuthServer, administrator: StaffMember) -> None:
    known = {server.new_customer() for _ in range(3)}
    total = administrator.get("/admin/customers", limit=1)["total"]
    listed = [
        one
        for offset in range(0, total, 2)
        for one in administrator.get("/admin/customers", limit=2, offset=offset)["customers"]
    ]
    assert len({one["sub"] for one in listed}) == len(listed) == total
    assert known <= {one["sub"] for one in listed}
    assert all(one.keys() == {"sub", "name", "groups", "disabled_at"} for one in listed)


def test_there_are_no_staff_among_the_customers(server: AuthServer, administrator: StaffMember) -> None:
    for path in ("disable", "enable"):
        answer = administrator.request("POST", f"/admin/customer/{path}", BECAUSE, sub=administrator.sub)
        assert answer.status_code == 404
    assert administrator.request("GET", "/admin/agents").status_code == 200


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0}, {"limit": 101}, {"limit": "x"}, {"offset": -1}, {"offset": 10**30},
        {"agent_id": "x"}, {"agent_id": "https://a.example.com\x00"}, {"agent_id": f"https://{'a' * 600}"},
        {},
    ],
)  # fmt: skip
def test_strange_parameters_are_refused(owner: StaffMember, parameters: dict[str, Any]) -> None:
    path = "/admin/agents" if {"limit", "offset"} & parameters.keys() else "/admin/agent"
    assert refused(owner.request("GET", path, **parameters))[0] == 422


def test_every_answer_and_every_refusal_is_recorded_under_the_callers_name(
    server: AuthServer, owner: StaffMember
) -> None:
    agent_id = owner.register()
    owner.get("/admin/agents")
    owner.request("GET", "/admin/customers")
    owner.request("POST", "/admin/agent/resume", BECAUSE, agent_id=agent_id)
    owner.request("GET", "/admin/agent", agent_id="https://nowhere.example.com")
    owner.request("POST", "/admin/agents", described(name=""))
    recorded = [(r["operation"], r["decision"]) for r in server.records(sub=owner.sub)]
    assert recorded[3:] == [  # after the sign-on
        ("agent.register", "permit"),
        ("agent.list", "permit"),
        ("customer.list", "deny"),
        ("agent.resume", "deny"),
        ("agent.show", "deny"),
        ("agent.register", "deny"),
    ]


def test_while_the_database_does_not_answer_nothing_is_changed(own_server: AuthServer) -> None:
    member = staff_member(own_server, "administrator")
    agent_id = member.register()
    with own_server.context.engine.connect() as locking, locking.begin():  # SQLite takes the write lock
        answer = member.request("POST", "/admin/agent/suspend", BECAUSE, agent_id=agent_id)
    assert refused(answer)[0] == 503
    assert member.get("/admin/agent", agent_id=agent_id)["state"] == "active"
