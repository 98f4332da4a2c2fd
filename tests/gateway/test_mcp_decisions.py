"""Over MCP the same is decided, recorded and limited as over REST, and arguments as well as names."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.__main__ import main
from gateway.app import create_app
from tests.clock import SetClock
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.mcp_fixtures import McpGateway
from tests.gateway.mcp_resource import OLDER, message
from tests.issuer import AGENT, TestIssuer
from tests.serving import serve

BOTH = "thing:read thing:pay"


def call(tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return message("tools/call", {"name": tool, "arguments": arguments or {}} | more)


def pay(amount_minor: object = 5, key: str = "k") -> dict[str, Any]:
    return call("pay", {"amount": {"amount_minor": amount_minor}, "idempotency_key": key})


def kind(answer: httpx2.Response) -> tuple[int, str]:
    """The status of a refusal and its kind."""
    return answer.status_code, answer.json()["error"]["data"]["kind"]


NO_OBJECT = message("tools/call", {"name": "wait", "arguments": []})["params"]
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "an amount over the limit": (pay(101), 403, "condition-not-met"),
    "an amount of another type": (pay("5"), 422, "unusable-argument"),
    "an amount that is a fraction": (pay(5.0), 422, "unusable-argument"),
    "no amount": (call("pay", {"amount": {}, "idempotency_key": "k"}), 422, "unusable-argument"),
    "what the schema does not know": (call("read_thing", {"thing_id": 5}), 422, "unusable-argument"),
    "no arguments at all": (call("read_thing"), 422, "unusable-argument"),
    "two segments for one": (call("read_thing", {"thing_id": "a/b"}), 422, "unusable-argument"),
    "a dot segment": (call("read_thing", {"thing_id": ".."}), 422, "unusable-argument"),
    "an empty segment": (call("read_thing", {"thing_id": ""}), 422, "unusable-argument"),
    "a tool no policy names": (call("delete_everything"), 400, "unknown-tool"),
    "a tool that is not there": (call("nothing"), 400, "unknown-tool"),
    "answers to questions": (call("wait", inputResponses={}), 400, "invalid-params"),
    "a task": (call("wait", task={"ttl": 1}), 400, "invalid-params"),
    "arguments that are a list": (
        message("tools/call", {"name": "wait", "arguments": []}),
        400,
        "invalid-params",
    ),
}


@pytest.mark.parametrize(("body", "status", "why"), REFUSED.values(), ids=REFUSED)
def test_a_call_is_refused_for_what_it_asks(
    body: dict[str, Any], status: int, why: str, mcp: McpGateway, records: Records
) -> None:
    records()
    answer = mcp.post(body, scope=BOTH)
    assert kind(answer) == (status, why)
    data = answer.json()["error"]["data"]
    [record] = records()
    assert (record["decision"], record["decision_id"]) == ("deny", data["decision_id"])
    assert answer.headers["decision-id"] == data["decision_id"]
    assert answer.headers["decision"].startswith("deny")
    assert mcp.resource.arrived == []


def test_a_default_stands_for_an_argument_that_is_left_out(mcp: McpGateway) -> None:
    body = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a"}}, version=OLDER)
    assert mcp.post(body, version=OLDER).status_code == 200
    body["params"]["arguments"]["size"] = 9
    assert kind(mcp.post(body, version=OLDER)) == (403, "condition-not-met")


@pytest.mark.parametrize(
    ("claims", "status", "why"),
    [
        ({"act": None}, 403, "actor-required"),
        ({"act": {"sub": "https://other.example.com"}}, 403, "actor-not-allowed"),
        ({"aud": "https://other.example.com"}, 401, "invalid-token"),
        ({"exp": 1}, 401, "invalid-token"),
    ],
)
@pytest.mark.parametrize("method", ["tools/call", "tools/list", "server/discover"])
def test_a_token_that_is_not_good_here_opens_nothing(
    method: str, claims: dict[str, Any], status: int, why: str, mcp: McpGateway
) -> None:
    body = call("read_thing", {"thing_id": "a"}) if method == "tools/call" else message(method)
    answer = mcp.post(body, authorization=f"Bearer {mcp.token(**claims)}")
    assert kind(answer) == (status, why)
    assert mcp.resource.arrived == []


def test_who_may_call_nothing_yet_may_still_ask_what_there_is(mcp: McpGateway) -> None:
    token = f"Bearer {mcp.issuer.delegation_token('other')}"
    listed = mcp.post(message("tools/list"), authorization=token)
    assert listed.json()["result"]["tools"] == []
    refused = mcp.post(call("wait"), authorization=token)
    assert kind(refused) == (403, "insufficient-scope")


def test_a_challenge_says_where_tokens_come_from_and_which_scopes_to_ask_for(mcp: McpGateway) -> None:
    metadata = 'resource_metadata="http://localhost:8503/.well-known/oauth-protected-resource/mcp"'
    answer = mcp.post(pay(), authorization=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer scope="thing:pay thing:read", {metadata}'
    answer = mcp.post(pay(), scope="thing:pay")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="thing:pay thing:read"' in answer.headers["www-authenticate"]
    assert metadata in answer.headers["www-authenticate"]


def test_the_metadata_of_the_mcp_endpoint_names_its_address(mcp: McpGateway) -> None:
    address = f"{mcp.url}/.well-known/oauth-protected-resource"
    whole, mcps = httpx2.get(address).json(), httpx2.get(f"{address}/mcp").json()
    assert mcps.pop("resource") == "http://localhost:8503/mcp"
    assert whole.pop("resource") == "http://localhost:8503"
    assert mcps == whole


def test_two_tokens_or_one_in_the_address_are_refused(mcp: McpGateway) -> None:
    answer = httpx2.post(f"{mcp.url}/mcp?access_token={mcp.token()}", json=pay())
    assert kind(answer) == (400, "invalid-request")
    lines = [("authorization", f"Bearer {mcp.token()}")] * 2
    assert kind(httpx2.post(f"{mcp.url}/mcp", json=pay(), headers=lines)) == (400, "invalid-request")


def test_a_limit_counts_calls_of_either_protocol(mcp: McpGateway, tmp_path: Path) -> None:
    with gateway_with(mcp.settings, data_dir=tmp_path) as client:
        url = str(client.base_url).rstrip("/")
        gateway = McpGateway(url, mcp.resource, mcp.issuer, mcp.settings)
        for _ in range(2):
            assert gateway.post(pay(), scope=BOTH).status_code == 200
        rest = {"json": {"amount": {"amount_minor": 5}}, "headers": bearer(mcp.token(BOTH))}
        client.post("/payments", **rest)  # type: ignore[arg-type]
        over = gateway.post(pay(), scope=BOTH)
        assert kind(over) == (429, "too-many-calls")
        assert int(over.headers["retry-after"]) > 0
        assert client.post("/payments", **rest).status_code == 429  # type: ignore[arg-type]


def test_in_the_mode_observe_a_condition_is_recorded_and_not_enforced(
    mcp: McpGateway, tmp_path: Path, records: Records
) -> None:
    policy = tmp_path / "policy.yaml"
    text = mcp.settings.policy_file.read_text()
    policy.write_text(text.replace("  thing.pay:\n", "  thing.pay:\n    mode: observe\n"))
    with gateway_with(mcp.settings, policy_file=policy, data_dir=tmp_path) as client:
        gateway = McpGateway(str(client.base_url).rstrip("/"), mcp.resource, mcp.issuer, mcp.settings)
        records()
        assert gateway.post(pay(101), scope=BOTH).status_code == 200
        assert records()[-1]["call"]["observed"] == "condition-not-met"


def test_a_token_that_ends_while_the_tools_are_looked_at_is_not_let_through(
    mcp: McpGateway, tmp_path: Path
) -> None:
    clock = SetClock()
    with TestIssuer(clock=clock).serving() as issuer:
        settings = mcp.settings.model_copy(update={"data_dir": tmp_path, "jwks_uri": issuer.jwks_uri})
        with serve(create_app(settings, clock)) as url:
            gateway = McpGateway(url, mcp.resource, issuer, settings)
            app, listed = mcp.resource.app, mcp.resource

            async def late(request: Any, receive: Any, send: Any) -> None:
                clock.now += timedelta(minutes=10)
                scope = {"type": "http", "method": "POST", "path": "/mcp", "raw_path": b"/mcp"}
                headers = [(name.encode(), value.encode()) for name, value in request.headers]
                await app(scope | {"headers": headers, "query_string": b""}, receive, send)

            listed.handler = late
            answer = gateway.post(call("read_thing", {"thing_id": "a"}))
    assert kind(answer) == (401, "invalid-token")


def test_a_permit_for_a_write_that_cannot_be_recorded_is_a_refusal(mcp: McpGateway, tmp_path: Path) -> None:
    with gateway_with(mcp.settings, data_dir=tmp_path, record_wait_seconds=0.2) as client:
        gateway = McpGateway(str(client.base_url).rstrip("/"), mcp.resource, mcp.issuer, mcp.settings)
        assert gateway.post(pay(), scope=BOTH).status_code == 200
        mcp.resource.reset()
        with sqlite3.connect(tmp_path / "gateway.sqlite3") as database:
            database.execute("BEGIN IMMEDIATE")
            answer = gateway.post(pay(), scope=BOTH)
            assert kind(answer) == (503, "decision-not-recorded")
            assert mcp.resource.called() == []


def test_calls_of_tools_are_explained_replayed_and_tested(
    mcp: McpGateway, tmp_path: Path, records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    records()
    mcp.post(pay(101), scope=BOTH)
    mcp.post(call("wait", {"x": 1}), scope="other")
    log = tmp_path / "gateway.log"
    log.write_text(capsys.readouterr().out)
    policy = mcp.settings.policy_file
    first = log.read_text().split('"decision_id":"')[1][:32]
    assert main(["policy", "explain", "--decision", first, "--log", str(log), "--policy", str(policy)]) == 0
    assert "operation       thing.pay: tools/call pay /payments\n" in capsys.readouterr().out
    new = tmp_path / "new.yaml"
    new.write_text(policy.read_text().replace("<= 100\n", "<= 200\n"))
    assert main(["policy", "replay", "--log", str(log), "--policy", str(new)]) == 1
    replayed = capsys.readouterr().out
    assert "thing.pay: deny condition-not-met -> permit" in replayed
    assert "1 decisions would change, 1 would not" in replayed
    new.write_text(policy.read_text().replace("tool: pay\n", "tool: pay_out\n"))
    assert main(["policy", "replay", "--log", str(log), "--policy", str(new)]) == 1
    assert "thing.pay: deny condition-not-met -> deny unknown-tool" in capsys.readouterr().out
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        f"""\
cases:
  - name: a small amount
    call: tools/call pay
    arguments: '{{"amount": {{"amount_minor": 100}}}}'
    token: {{act: [{AGENT}], scope: {BOTH}}}
    expect: permit
  - name: a large one
    call: tools/call pay
    arguments: '{{"amount": {{"amount_minor": 101}}}}'
    token: {{act: [{AGENT}], scope: {BOTH}}}
    expect: deny condition-not-met
  - name: a tool that is not there
    call: tools/call burn
    token: {{act: [{AGENT}], scope: {BOTH}}}
    expect: deny unknown-tool
"""
    )
    assert main(["policy", "test", str(cases), "--policy", str(policy)]) == 0, capsys.readouterr().err
