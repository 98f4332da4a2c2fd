"""A changed policy comes into force without a restart, whole or not at all, and no call is lost by it."""

import json
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from http.client import HTTPResponse
from pathlib import Path

import httpx2
import pytest
import yaml

from gateway.policy import Policy
from gateway.policy_file import PolicyFile, UnsoundPolicy, read_policy
from gateway.settings import Settings
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.mcp_fixtures import McpGateway
from tests.gateway.mcp_resource import headers_of, message
from tests.gateway.recording import RecordingResource
from tests.gateway.wire import connected, request
from tests.issuer import AGENT, TestIssuer
from tests.stack.waiting import until

QUICK = 0.01
OTHER = "https://other.example.com"


def policy(actor: str, words: str) -> str:
    """A policy in which the actor and the condition's words change together, or never."""
    operation = {
        "method": "GET",
        "path": "/accounts/{account_id}",
        "scope": "account:read_balance",
        "actors": [actor],
        "arguments": {"account_id": {"in": "path"}},
        "conditions": [{"require": "args.account_id == 'mine'", "otherwise": words}],
    }
    operations = {"account.read": operation} | {
        f"filler.n{n}": operation | {"path": f"/filler/n{n}/{{account_id}}"} for n in range(30)
    }
    document = {"audience": "https://account.api.example.com", "name": "x", "operations": operations}
    # Copied, so that nothing is written as an alias.
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)


ONE, TWO = policy(AGENT, "The first policy."), policy(OTHER, "The second policy.")


def replace(file: Path, text: str) -> None:
    """Put a file in the place of another at once, as careful editors do."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def version(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def test_under_load_no_call_is_lost_and_each_is_decided_by_one_policy_or_the_other(
    settings: Settings,
    resource: RecordingResource,
    issuer: TestIssuer,
    tmp_path: Path,
    records: Records,
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(ONE)
    tokens = {
        actor: bearer(issuer.delegation_token("account:read_balance", act={"sub": actor}))
        for actor in (AGENT, OTHER)
    }
    seen: list[tuple[str, int, str, str]] = []
    stop = threading.Event()

    def call(url: str, actor: str, account: str) -> None:
        with httpx2.Client(base_url=url) as client:
            while not stop.is_set():
                answer = client.get(f"/accounts/{account}", headers=tokens[actor])
                reason = answer.json().get("reason", "") if answer.status_code != 200 else ""
                seen.append((actor, answer.status_code, reason, answer.headers["decision-id"]))

    def served(begin: int, actor: str) -> bool:
        return (actor, 200) in [one[:2] for one in seen[begin:]]

    with gateway_with(settings, policy_file=file, policy_look_seconds=QUICK) as client:
        kinds = [(AGENT, "mine"), (AGENT, "theirs"), (OTHER, "mine"), (OTHER, "theirs")]
        callers = [threading.Thread(target=call, args=(str(client.base_url), *one)) for one in kinds]
        for caller in callers:
            caller.start()
        for text, actor in [(TWO, OTHER), (ONE, AGENT)] * 2:
            replace(file, text)
            begin = len(seen)
            until(partial(served, begin, actor), f"{actor} is served")
        stop.set()
        for caller in callers:
            caller.join()
    assert {one[1:3] for one in seen if one[0] == AGENT} == {
        (200, ""),
        (403, "The first policy."),
        (403, "The policy does not let this actor do account.read."),
    }
    assert {one[1:3] for one in seen if one[0] == OTHER} == {
        (200, ""),
        (403, "The second policy."),
        (403, "The policy does not let this actor do account.read."),
    }
    by_id = {one["decision_id"]: one for one in records()}
    assert len(by_id) == len(seen)
    for actor, _status, reason, decision_id in seen:
        admitted = "does not let" not in reason
        expected = version(ONE) if admitted == (actor == AGENT) else version(TWO)
        assert by_id[decision_id]["policy_version"] == expected


ORDER = b'{"account_id": "theirs"}'


def test_a_call_is_decided_to_its_end_by_the_policy_that_it_began_with(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path, records: Records
) -> None:
    file = tmp_path / "policy.yaml"
    one, two = (text.replace("GET", "POST").replace("in: path", "in: body") for text in (ONE, TWO))
    one, two = (text.replace("/{account_id}", "") for text in (one, two))
    file.write_text(one)
    token = issuer.delegation_token("account:read_balance")
    lines = ("Expect: 100-continue", "Content-Type: application/json", f"Content-Length: {len(ORDER)}")
    with gateway_with(settings, policy_file=file, policy_look_seconds=QUICK) as client:

        def refusal() -> str:
            return str(client.post("/accounts", headers=bearer(token), content=ORDER).json()["reason"])

        with connected(str(client.base_url)) as connection:
            connection.sendall(request("POST", "/accounts", token, *lines))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")  # the rest depends on the body
            replace(file, two)
            until(lambda: "does not let this actor" in refusal(), "the second policy is in force")
            connection.sendall(ORDER)
            told = HTTPResponse(connection)
            told.begin()
            assert (told.status, json.loads(told.read())["reason"]) == (403, "The first policy.")
        by_id = {record["decision_id"]: record["policy_version"] for record in records()}
        assert by_id[told.getheader("decision-id")] == version(one)


def test_a_message_of_mcp_is_decided_to_its_end_by_the_policy_that_it_began_with(
    mcp: McpGateway, tmp_path: Path
) -> None:
    file, text = tmp_path / "policy.yaml", mcp.settings.policy_file.read_text()
    file.write_text(text)
    call = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a"}})
    content = json.dumps(call).encode()
    fields = headers_of(call) | {"content-type": "application/json", "expect": "100-continue"}
    lines = [f"{name}: {value}" for name, value in fields.items()] + [f"Content-Length: {len(content)}"]
    with gateway_with(mcp.settings, policy_file=file, policy_look_seconds=QUICK) as client:

        def status() -> int:
            return client.post("/mcp", json=call, headers=headers_of(call) | bearer(mcp.token())).status_code

        assert status() == 200
        with connected(str(client.base_url)) as connection:
            connection.sendall(request("POST", "/mcp", mcp.token(), *lines))
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
            replace(file, text.replace(AGENT, OTHER))
            until(lambda: status() == 403, "the second policy is in force")
            connection.sendall(content)
            told = HTTPResponse(connection)
            told.begin()
            assert told.status == 200


def test_a_call_of_either_protocol_asks_once_which_policy_is_in_force(
    mcp: McpGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked twice, the answers could differ: a file is read beside the event loop."""
    asked: list[str] = []
    current = PolicyFile.current

    def counted(file: PolicyFile) -> Policy:
        asked.append("once")
        return current(file)

    tool = {"name": "read_thing", "arguments": {"thing_id": "a"}}
    order = {"amount": {"amount_minor": 1}}
    with gateway_with(mcp.settings) as client:
        monkeypatch.setattr(PolicyFile, "current", counted)
        headers = bearer(mcp.token("thing:read thing:pay"))
        for send in [
            partial(client.get, "/things/a"),
            partial(client.get, "/things/secret"),
            partial(client.get, "/nowhere"),
            partial(client.post, "/payments", json=order),
            partial(client.post, "/access/v1/evaluation", json={}),
            *(
                partial(client.post, "/mcp", json=one)
                for one in (message("tools/list"), message("tools/call", tool), message("ping"))
            ),
        ]:
            asked.clear()
            body = send.keywords.get("json", {})
            fields = headers_of(body) if "method" in body else {}
            send(headers=headers | fields)
            assert asked == ["once"], send.args


def test_a_broken_change_is_refused_and_the_old_policy_stays_and_readiness_says_so(
    settings: Settings, resource: RecordingResource, issuer: TestIssuer, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(ONE)
    token = bearer(issuer.delegation_token("account:read_balance"))
    with gateway_with(settings, policy_file=file, policy_look_seconds=QUICK) as client:

        def ready() -> dict[str, object]:
            answer = client.get("/readyz")
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        until(lambda: ready() == {"status": "ready"}, "its database is open, too")
        replace(file, ONE.replace("== 'mine'", "== mine"))
        until(lambda: "warnings" in ready(), "a warning")
        told = json.dumps(ready()["warnings"])
        assert "the policy before it is in force" in told
        assert f"{file}:" in told
        assert "undeclared reference to 'mine'" in told
        assert client.get("/accounts/mine", headers=token).status_code == 200
        file.unlink()
        until(lambda: "cannot be read" in json.dumps(ready()), "another warning")
        assert client.get("/accounts/mine", headers=token).status_code == 200
        replace(file, TWO)
        until(lambda: ready() == {"status": "ready"}, "no warning")
        assert client.get("/accounts/mine", headers=token).status_code == 403


@pytest.fixture
def looking(tmp_path: Path) -> Callable[[], str]:
    """Look at a policy file that holds ONE at first, and return the version in force."""
    file = tmp_path / "policy.yaml"
    file.write_text(ONE)
    kept = PolicyFile(file)

    def look() -> str:
        kept.look()
        return kept.current().version

    return look


def test_a_file_that_is_still_being_written_is_not_read(looking: Callable[[], str], tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    half = TWO[: TWO.index("  filler.n15:")]
    file.write_text(half)
    read_policy(file)  # the half is a sound policy, too
    assert looking() == version(ONE)
    file.write_text(TWO)
    assert looking() == version(ONE)
    assert looking() == version(TWO)


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(ONE)
    policy_file = PolicyFile(file)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.replace(file)  # whoever reads it waits for who writes
    policy_file.look()
    looking = threading.Thread(target=policy_file.look)
    looking.start()
    with file.open("w") as writing:
        replace(file, TWO)
        writing.write(TWO[: TWO.index("  filler.n15:")])
    looking.join()
    assert policy_file.current().version == version(ONE)
    policy_file.look()
    policy_file.look()
    assert policy_file.current().version == version(TWO)


def test_a_change_is_seen_that_leaves_the_files_length_and_time_as_they_were(
    looking: Callable[[], str], tmp_path: Path
) -> None:
    file, changed = tmp_path / "policy.yaml", ONE.replace("'mine'", "'ours'")
    before = file.stat()
    file.write_text(changed)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [looking(), looking()] == [version(ONE), version(changed)]


def test_each_policy_that_was_in_force_is_kept_under_its_version(tmp_path: Path) -> None:
    file, folder = tmp_path / "policy.yaml", tmp_path / "kept"
    file.write_text(ONE)
    policy_file = PolicyFile(file, folder)
    file.write_text(TWO)
    policy_file.look()
    policy_file.look()
    assert {one.name: one.read_text() for one in folder.iterdir()} == {
        f"{version(text)}.yaml": text for text in (ONE, TWO)
    }


def test_a_folder_that_cannot_be_written_keeps_no_policy_from_coming_into_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(ONE)
    with caplog.at_level(logging.WARNING):
        assert PolicyFile(file, file / "no folder").current().version == version(ONE)
    assert "cannot be kept" in caplog.text


def test_without_any_sound_policy_there_is_none_until_the_file_is_mended_whole(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    policy_file = PolicyFile(file)
    file.write_text(TWO[: TWO.index("  filler.n15:")])
    policy_file.look()
    with pytest.raises(UnsoundPolicy):
        policy_file.current()
    file.write_text(TWO)
    policy_file.look()
    with pytest.raises(UnsoundPolicy):
        policy_file.current()
    policy_file.look()
    assert policy_file.current().version == version(TWO)
