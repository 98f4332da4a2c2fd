"""The command line of staff and customers: what it takes, says, and records."""

import json
from typing import Any

import pytest

from tests.auth_server.administration import StaffMember, staff_member
from tests.auth_server.registry import Command
from tests.auth_server.servers import (
    AGENT,
    CALLBACK,
    ISSUER,
    AuthorizationRequest,
    AuthServer,
    claims,
    sign_on,
)

NEW = "robin@example.com"
CHOSEN = "a password of one's own"


@pytest.fixture
def staff(own_server_on_each: AuthServer) -> Command:
    """The command of a server of each test's own, on each kind of database."""
    return Command(own_server_on_each, "staff")


@pytest.fixture
def on_sqlite(own_server: AuthServer) -> Command:
    """The same on one kind of database, for what does not depend on it."""
    return Command(own_server, "staff")


def add(staff: Command, sub: str = NEW, *more: str, role: str = "owner", password: str = CHOSEN) -> Any:
    """Add somebody whose password comes by standard input."""
    options = ("--name", "Robin Keller", "--role", role, "--password-file", "-")
    return staff("add", sub, *options, *more, text=f"{password}\n")


def test_an_added_member_of_staff_can_sign_on_at_once(own_server_on_each: AuthServer, staff: Command) -> None:
    server = own_server_on_each
    shown = add(staff, " Robin@Example.com")
    assert shown == {"sub": NEW, "name": "Robin Keller", "role": "owner", "disabled_at": None}
    browser, request = server.browser(), AuthorizationRequest()
    page = sign_on(browser, request, NEW, CHOSEN)
    tokens = server.redeem(browser, page, request, resource=ISSUER)
    assert claims(tokens.first["id_token"])["role"] == "owner"


def test_a_role_given_counts_from_the_next_request_on(own_server_on_each: AuthServer, staff: Command) -> None:
    member = staff_member(own_server_on_each, "auditor")
    agent = {"agent_id": AGENT}
    assert staff("role", member.sub, "administrator")["role"] == "administrator"
    assert member.get("/userinfo")["role"] == "administrator"
    assert member.request("GET", "/admin/customers").status_code == 200
    staff("role", member.sub, "owner")
    assert member.request("GET", "/admin/agent", **agent).status_code == 404
    assert "is owner already" in staff.refuses("role", member.sub, "owner")


def test_each_change_is_a_record_that_says_who_and_why(
    own_server_on_each: AuthServer, staff: Command
) -> None:
    because = ("--by", "Ada", "--reason", "ticket 9")
    add(staff, NEW, *because)
    staff("role", NEW, "auditor", *because)
    staff("disable", NEW, *because)
    staff("enable", NEW, "--by", "Ada")
    staff.refuses("disable", "nobody@example.com", *because)
    records = own_server_on_each.records(resource=NEW)
    assert [(record["operation"], record["decision"], record["reason"]) for record in records] == [
        ("staff.add", "permit", "Ada: owner: ticket 9"),
        ("staff.role", "permit", "Ada: auditor, who was owner: ticket 9"),
        ("staff.disable", "permit", "Ada: ticket 9"),
        ("staff.enable", "permit", "Ada"),
    ]


def test_customers_are_listed_disabled_and_enabled(own_server_on_each: AuthServer) -> None:
    server, customers = own_server_on_each, Command(own_server_on_each, "customers")
    sub, other = server.new_customer(), server.new_customer()
    tokens = server.sign_on(sub)
    shown = customers("disable", sub, "--by", "Ada", "--reason", "a stolen phone")
    assert shown["disabled_at"].endswith("+00:00")
    assert {one["sub"]: one["disabled_at"] is None for one in customers("list")} == {sub: False, other: True}
    assert tokens.refresh(resource=ISSUER).json()["error"] == "invalid_grant"
    assert "is disabled already" in customers.refuses("disable", sub, "--reason", "again")
    assert customers("enable", sub)["disabled_at"] is None
    assert "is not disabled" in customers.refuses("enable", sub)
    assert sign_on(server.browser(), AuthorizationRequest(), sub).leads_to == CALLBACK
    records = server.records(resource=sub)
    assert [(one["operation"], one["reason"]) for one in records][:1] == [
        ("customer.disable", "Ada: a stolen phone")
    ]


@pytest.mark.parametrize(
    ("sub", "password", "said"),
    [
        ("robin", CHOSEN, "e-mail address"),
        ("robin@", CHOSEN, "e-mail address"),
        ("robin keller@example.com", CHOSEN, "e-mail address"),
        ("r\xf6bin@example.com", CHOSEN, "e-mail address"),
        (f"{'r' * 250}@example.com", CHOSEN, "e-mail address"),
        (NEW, "short", "8 to 1024 characters"),
        (NEW, "", "8 to 1024 characters"),
        (NEW, "x" * 1025, "8 to 1024 characters"),
    ],
)
def test_wrong_input_is_named_and_nobody_is_added(
    on_sqlite: Command, sub: str, password: str, said: str
) -> None:
    options = ("--name", "Robin", "--role", "owner", "--password-file", "-")
    done = on_sqlite.run("add", sub, *options, text=password)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert on_sqlite("list") == []


def test_a_name_is_one_persons(own_server: AuthServer, on_sqlite: Command) -> None:
    add(on_sqlite)
    options = ("--name", "Robin", "--role", "owner", "--password-file", "-")
    for taken in (NEW, own_server.new_customer()):
        done = on_sqlite.run("add", taken, *options, text=CHOSEN)
        assert (done.returncode, "another party" in done.stderr) == (2, True)


def test_what_is_missing_or_unknown_is_named(on_sqlite: Command) -> None:
    assert "--reason" in on_sqlite.refuses("disable", NEW)
    assert "there is no" in on_sqlite.refuses("disable", NEW, "--reason", "x")
    assert "there is no" in on_sqlite.refuses("role", NEW, "owner")
    assert "invalid choice" in on_sqlite.refuses("role", NEW, "king")
    missing = ("add", NEW, "--name", "x", "--role", "owner", "--password-file", "/nowhere/at/all")
    assert "cannot be read" in on_sqlite.refuses(*missing)


def test_tables_are_for_people(own_server: AuthServer, on_sqlite: Command) -> None:
    assert on_sqlite.run("list").stdout == "nobody\n"
    add(on_sqlite)
    on_sqlite("disable", NEW, "--reason", "on leave")
    lines = on_sqlite.run("list").stdout.splitlines()
    assert lines[0].split() == ["SUB", "NAME", "ROLE", "DISABLED"]
    assert lines[1].startswith(NEW)
    assert lines[1].split()[-1].endswith("+00:00")
    own_server.new_customer()
    assert Command(own_server, "customers").run("list").stdout.split()[:4] == [
        "SUB",
        "NAME",
        "GROUPS",
        "DISABLED",
    ]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        *(("staff", command) for command in ("list", "add", "role", "set-password", "disable", "enable")),
        *(("customers", command) for command in ("list", "set-password", "disable", "enable")),
    ],
)
def test_each_command_explains_itself(own_server: AuthServer, name: str, command: str) -> None:
    done = Command(own_server, name).run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert command in Command(own_server, name).run("--help").stdout


def test_an_agents_owner_and_its_largest_transfer_are_set_shown_and_taken_away(
    own_server: AuthServer,
) -> None:
    agents, owner = Command(own_server, "agents"), own_server.new_staff("owner")
    edited = agents("edit", AGENT, "--owner-sub", owner, "--max-transfer-minor", "20000")
    assert (edited["owner_sub"], edited["max_transfer_minor"]) == (owner, 20000)
    shown = agents.run("show", AGENT).stdout
    assert owner in shown
    assert "20000 minor units" in shown
    assert agents("edit", AGENT, "--any-amount")["max_transfer_minor"] is None
    assert "member of staff" in agents.refuses("edit", AGENT, "--owner-sub", own_server.new_customer())
    assert "max_transfer_minor" in agents.refuses("edit", AGENT, "--max-transfer-minor", "0")
    assert json.loads(agents.run("list", "--json").stdout)[0]["owner_sub"] == owner
    member = StaffMember(own_server, owner, own_server.staff_sign_on(owner).first["access_token"])
    assert member.get("/admin/agent", agent_id=AGENT)["owner_sub"] == owner
