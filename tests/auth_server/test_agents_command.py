"""The registry's command line: what it takes, says, keeps as history and records."""

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from auth_server.tables import Customer
from delegation.signing_key import SigningKey
from tests.auth_server.client import ask
from tests.auth_server.registry import OTHER, Registry, described, key_file
from tests.auth_server.servers import ACCOUNT_API, AGENT, BALANCE, ISSUER, TRANSFER, AuthServer

REFUSED_KEY = (401, "invalid_client")


@pytest.fixture
def registry(own_server_on_each: AuthServer) -> Registry:
    """The registry of a server of each test's own, on each kind of database."""
    return Registry(own_server_on_each)


@pytest.fixture
def on_sqlite(own_server: AuthServer) -> Registry:
    """The same on one kind of database, for what does not depend on it."""
    return Registry(own_server)


def brought_to(registry: Registry, state: str) -> None:
    """Register an agent and bring it into a state."""
    registry.register(*(["--draft"] if state == "draft" else []), keys=SigningKey.generate())
    if state in {"suspended", "retired"}:
        registry("suspend" if state == "suspended" else "retire", OTHER, "--reason", "the test")


@pytest.mark.parametrize(
    ("state", "command", "after"),
    [
        ("draft", "resume", "active"),
        ("draft", "retire", "retired"),
        ("active", "suspend", "suspended"),
        ("active", "retire", "retired"),
        ("suspended", "resume", "active"),
        ("suspended", "retire", "retired"),
    ],
)
def test_each_transition_that_there_is(on_sqlite: Registry, state: str, command: str, after: str) -> None:
    brought_to(on_sqlite, state)
    assert on_sqlite(command, OTHER, "--reason", "why not")["state"] == after


@pytest.mark.parametrize(
    ("state", "commands"),
    [
        ("draft", ["suspend"]),
        ("active", ["resume"]),
        ("suspended", ["suspend"]),
        ("retired", ["resume", "suspend", "retire"]),
    ],
)
def test_every_other_transition_is_refused(on_sqlite: Registry, state: str, commands: list[str]) -> None:
    brought_to(on_sqlite, state)
    for command in commands:
        assert f"is {state}" in on_sqlite.refuses(command, OTHER, "--reason", "why not")
        assert on_sqlite("show", OTHER)["state"] == state


def test_of_a_retired_agent_nothing_changes(on_sqlite: Registry, tmp_path: Path) -> None:
    brought_to(on_sqlite, "retired")
    assert "is retired" in on_sqlite.refuses("edit", OTHER, "--name", "Phoenix")
    added = key_file(tmp_path, SigningKey.generate())
    assert "is retired" in on_sqlite.refuses("rotate-keys", OTHER, "--add", added)


def test_keys_are_rotated_without_an_outage_and_the_removed_one_is_refused_at_once(
    registry: Registry, tmp_path: Path
) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    registry.register(keys=old)
    agent = registry.client(old)
    assert ask(agent, agent.assertion()) == (200, "")
    assert ask(agent, agent.assertion(key=new)) == REFUSED_KEY
    registry("rotate-keys", OTHER, "--add", key_file(tmp_path, new))
    for key in (old, new):
        assert ask(agent, agent.assertion(key=key)) == (200, "")
    shown = registry("rotate-keys", OTHER, f"--remove={old.kid}", "--reason", "its year is over")
    assert [key["kid"] for key in shown["jwks"]["keys"]] == [new.kid]
    assert ask(agent, agent.assertion(key=old)) == REFUSED_KEY
    assert ask(agent, agent.assertion(key=new)) == (200, "")
    assert shown["history"][-1]["changes"] == {"jwks": [[old.kid, new.kid], [new.kid]]}


def test_keys_can_be_exchanged_in_one_step_but_the_last_one_stays(
    on_sqlite: Registry, tmp_path: Path
) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    on_sqlite.register(keys=old)
    assert "at least one" in on_sqlite.refuses("rotate-keys", OTHER, f"--remove={old.kid}")
    assert "has no key other" in on_sqlite.refuses("rotate-keys", OTHER, "--remove", "other")
    assert "same kid" in on_sqlite.refuses("rotate-keys", OTHER, "--add", key_file(tmp_path, old))
    assert "nothing" in on_sqlite.refuses("rotate-keys", OTHER)
    on_sqlite("rotate-keys", OTHER, "--add", key_file(tmp_path, new), f"--remove={old.kid}")
    agent = on_sqlite.client(old)
    assert ask(agent, agent.assertion(key=new)) == (200, "")
    assert ask(agent, agent.assertion(key=old)) == REFUSED_KEY


def test_keys_at_a_jwks_uri_are_rotated_there(on_sqlite: Registry, tmp_path: Path) -> None:
    added = key_file(tmp_path, SigningKey.generate())
    assert "publish" in on_sqlite.refuses("rotate-keys", AGENT, "--add", added)


def test_an_edit_from_a_jwks_uri_to_an_uploaded_key_and_back(
    own_server: AuthServer, on_sqlite: Registry, tmp_path: Path
) -> None:
    agent, uploaded = own_server.agent, SigningKey.generate()
    jwks_uri = on_sqlite("show", AGENT)["jwks_uri"]
    assert on_sqlite("edit", AGENT, "--jwks", key_file(tmp_path, uploaded))["jwks_uri"] is None
    assert ask(agent, agent.assertion(key=uploaded)) == (200, "")
    assert ask(agent, agent.assertion()) == REFUSED_KEY
    assert on_sqlite("edit", AGENT, "--jwks-uri", jwks_uri)["jwks"] is None
    assert ask(agent, agent.assertion()) == (200, "")
    assert ask(agent, agent.assertion(key=uploaded)) == REFUSED_KEY


def test_the_history_says_who_changed_what_and_why(registry: Registry) -> None:
    registry.register("--by", "Ada", "--reason", "ticket 1", keys=SigningKey.generate())
    registry("edit", OTHER, "--purpose", "Blocks cards", "--by", "Grace")
    registry("suspend", OTHER, "--by", "Ada", "--reason", "it blocked too many")
    entries = registry("show", OTHER)["history"]
    told = [(entry["who"], entry["action"], entry["why"], entry["changes"]) for entry in entries]
    assert told == [
        ("Ada", "register", "ticket 1", {"state": [None, "active"]}),
        ("Grace", "edit", "", {"purpose": ["Answers questions about cards", "Blocks cards"]}),
        ("Ada", "suspend", "it blocked too many", {"state": ["active", "suspended"]}),
    ]
    assert all(entry["time"].endswith("+00:00") for entry in entries)


def test_each_change_is_a_record_and_a_refused_one_leaves_nothing(
    own_server_on_each: AuthServer, registry: Registry, tmp_path: Path
) -> None:
    key = SigningKey.generate()
    registry.register("--by", "Ada", keys=key)
    registry("edit", OTHER, "--name", "Card Helper", "--by", "Ada")
    registry("rotate-keys", OTHER, "--add", key_file(tmp_path, SigningKey.generate()), "--by", "Ada")
    for command in ("suspend", "resume", "retire"):
        registry(command, OTHER, "--reason", "the test", "--by", "Ada")
    registry.refuses("resume", OTHER)
    records = own_server_on_each.records(resource=OTHER)
    assert [(record["operation"], record["decision"], record["reason"]) for record in records] == [
        ("agent.register", "permit", "Ada"),
        ("agent.edit", "permit", "Ada"),
        ("agent.rotate-keys", "permit", "Ada"),
        ("agent.suspend", "permit", "Ada: the test"),
        ("agent.resume", "permit", "Ada: the test"),
        ("agent.retire", "permit", "Ada: the test"),
    ]
    assert len(registry("show", OTHER)["history"]) == len(records)


def test_tables_are_for_people(on_sqlite: Registry) -> None:
    on_sqlite.register("--draft", keys=SigningKey.generate())
    lines = on_sqlite.run("list").stdout.splitlines()
    assert lines[0].split() == ["STATE", "ID", "NAME", "OWNER"]
    assert [line.split()[:2] for line in lines[1:]] == [["active", AGENT], ["draft", OTHER]]
    shown = on_sqlite.run("show", OTHER).stdout
    for part in ("Answers questions about cards", "Robin Keller", f"{ACCOUNT_API}: {BALANCE}", "300 s"):
        assert part in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--id": "http://agent.example.com"}, "agent_id: must be an https URL"),
        ({"--id": "https://user@agent.example.com"}, "agent_id: must be an https URL"),
        ({"--id": "https://agent.example.com/#it"}, "agent_id: must be an https URL"),
        ({"--id": AGENT}, "is registered already"),
        ({"--id": ACCOUNT_API}, "the name of another party"),
        ({"--name": " "}, "name: "),
        ({"--purpose": "a\x1b[2Jb"}, "purpose: "),
        ({"--owner": "x" * 513}, "owner: "),
        ({"--jwks-uri": "ftp://agent.example.com/jwks"}, "jwks_uri: must be an http or https URL"),
        ({"--scope": f"{ACCOUNT_API}=account:everything"}, "account:everything is none of"),
        ({"--scope": f"not-a-uri={TRANSFER}"}, "must be an absolute URI"),
        ({"--scope": ACCOUNT_API}, "is not AUDIENCE=SCOPE"),
        ({"--max-seconds": "301"}, "max_seconds: "),
        ({"--max-seconds": "0"}, "max_seconds: "),
        ({"--max-seconds": "soon"}, "--max-seconds"),
        ({"--customer": ""}, "customers.0: "),
        ({"--by": "\n"}, "plain texts"),
    ],
)
def test_wrong_input_is_named_and_changes_nothing(
    on_sqlite: Registry, changes: dict[str, str], said: str
) -> None:
    given = described()
    options = dict(zip(given[::2], given[1::2], strict=True)) | {"--jwks-uri": f"{ISSUER}/jwks"} | changes
    assert said in on_sqlite.refuses("register", *(part for pair in options.items() for part in pair))
    assert len(on_sqlite("list")) == 1


def test_a_key_that_is_none_or_is_private_is_refused(on_sqlite: Registry, tmp_path: Path) -> None:
    good = SigningKey.generate().public_jwk
    for said, jwk in {
        "private key": good | {"d": "c2VjcmV0"},
        "must have a kid": {n: v for n, v in good.items() if n != "kid"},
        "must be for ES256": good | {"crv": "P-384"},
        "cannot be used": good | {"x": good["y"]},
        "dictionary": "no key",
    }.items():
        file = tmp_path / "key.json"
        file.write_text(json.dumps({"keys": [jwk]}))
        refused = on_sqlite.refuses("register", *described(), "--jwks", str(file))
        assert said in refused
        assert "c2VjcmV0" not in refused
    file.write_text("nothing")
    assert "cannot be read as JSON" in on_sqlite.refuses("register", *described(), "--jwks", str(file))
    missing = str(tmp_path / "missing.json")
    assert "cannot be read" in on_sqlite.refuses("register", *described(), "--jwks", missing)


def test_what_is_missing_is_named(on_sqlite: Registry) -> None:
    assert "--reason" in on_sqlite.refuses("suspend", AGENT)
    assert "--reason" in on_sqlite.refuses("retire", AGENT)
    assert "who and why" in on_sqlite.refuses("suspend", AGENT, "--reason", "")
    assert "say what is to change" in on_sqlite.refuses("edit", AGENT)
    assert "nothing of" in on_sqlite.refuses("edit", AGENT, "--name", "Bank Assistant")
    assert "--jwks-uri" in on_sqlite.refuses("register", *described())
    assert "no agent is registered" in on_sqlite.refuses("show", OTHER)
    assert "no agent is registered" in on_sqlite.refuses("suspend", OTHER, "--reason", "the test")
    assert "invalid choice" in on_sqlite.refuses("remove", AGENT)


def test_a_customers_name_is_no_agents(own_server: AuthServer, on_sqlite: Registry) -> None:
    with own_server.context.engine.begin() as connection:
        connection.execute(insert(Customer).values(sub=OTHER, name="Kim", password_hash=""))
    options = (*described(), "--jwks-uri", f"{ISSUER}/jwks")
    assert "the name of another party" in on_sqlite.refuses("register", *options)


def test_where_there_is_no_registry_the_command_says_so_and_makes_none(
    own_server: AuthServer, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    elsewhere = own_server.settings.model_copy(update={"data_dir": nowhere})
    own_server.settings = elsewhere
    done = Registry(own_server).run("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "check DATA_DIR" in done.stderr
    assert not nowhere.exists()
    own_server.settings = elsewhere.model_copy(update={"database_url": "postgresql://localhost:9/none"})
    done = Registry(own_server).run("suspend", AGENT, "--reason", "the test")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["list", "show", "register", "edit", "suspend", "resume", "retire", "rotate-keys"]
)
def test_each_command_explains_itself(on_sqlite: Registry, command: str) -> None:
    done = on_sqlite.run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert command in on_sqlite.run("--help").stdout
