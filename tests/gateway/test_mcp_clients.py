"""The official MCP client works through the gateway, in both revisions, and gets what REST callers get."""

import json
import threading
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from gateway.app import create_app
from tests.gateway.conftest import Records, bearer
from tests.gateway.mcp_fixtures import McpGateway
from tests.gateway.mcp_resource import (
    MODERN,
    OLDER,
    McpResource,
    definitions,
    headers_of,
    mcp_policy,
    message,
    sdk_client,
    tools_server,
)
from tests.issuer import AGENT
from tests.serving import serve

MODES = pytest.mark.parametrize("mode", ["legacy", "auto", MODERN])
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@MODES
@pytest.mark.asyncio
async def test_a_client_lists_and_calls_what_its_token_lets_it(mcp: McpGateway, mode: str) -> None:
    async with sdk_client(mcp.url, mcp.token(), mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["read_thing", "wait"]
        result = await client.call_tool("read_thing", {"thing_id": "a1", "size": 2})
    assert result.structured_content == {"thing": "a1", "size": "2"}
    async with sdk_client(mcp.url, mcp.token("thing:read thing:pay"), mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["read_thing", "pay", "wait"]
        paid = await client.call_tool("pay", {"amount": {"amount_minor": 5}, "idempotency_key": mode})
    assert paid.structured_content == {"paid": '{"amount_minor": 5}', "key": mode}


@MODES
@pytest.mark.asyncio
async def test_a_refusal_reaches_the_model_with_all_that_it_can_act_on(mcp: McpGateway, mode: str) -> None:
    async with sdk_client(mcp.url, mcp.token(), mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("pay", {"amount": {"amount_minor": 5}, "idempotency_key": "k"})
        assert refused.value.code == 403
        assert len(refused.value.error.data.pop("decision_id")) == 32
        assert refused.value.error.data == {
            "reason": "thing.pay needs the scope thing:pay thing:read.",
            "kind": "insufficient-scope",
            "required_scopes": ["thing:pay", "thing:read"],
            "operation": "thing.pay",
            "next_step": "Exchange for a token that has it.",
        }
        with pytest.raises(MCPError) as unmet:
            await client.call_tool("read_thing", {"thing_id": "secret"})
        assert unmet.value.error.data["reason"] == "Not the secret one, and no large ones."
        with pytest.raises(MCPError) as unusable:
            await client.call_tool("read_thing", {"thing_id": "a", "size": "large"})
        assert (unusable.value.code, unusable.value.error.data["kind"]) == (-32602, "unusable-argument")
    assert mcp.resource.called() == []


@MODES
@pytest.mark.asyncio
async def test_a_client_without_a_good_token_is_told_where_to_get_one(mcp: McpGateway, mode: str) -> None:
    with pytest.raises((MCPError, ExceptionGroup)) as refused:
        async with sdk_client(mcp.url, "nonsense", mode) as client:
            await client.list_tools()
    error: Any = refused.value
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    assert (error.code, error.error.data["kind"]) == (401, "invalid-token")
    assert error.error.data["required_scopes"] == ["thing:pay", "thing:read"]


def test_a_call_over_mcp_leaves_the_record_that_it_leaves_over_rest(
    mcp: McpGateway, records: Records
) -> None:
    records()
    call = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a1", "size": 2}})
    assert mcp.post(call).status_code == 200
    httpx2.get(f"{mcp.url}/things/a1?size=2", headers=bearer(mcp.token()))
    over_mcp, over_rest = records()
    assert over_mcp["call"].pop("tool") == "read_thing"
    assert (over_mcp["call"].pop("method"), over_rest["call"].pop("method")) == ("tools/call", "GET")
    for its_own in ("jti", "decision_id", "trace_id", "time"):
        del over_mcp[its_own], over_rest[its_own]
    for record in (over_mcp, over_rest):
        del record["call"]["iat"], record["call"]["exp"]
    assert over_mcp == over_rest
    assert over_mcp["resource"] == "/things/a1"


@pytest.mark.parametrize("version", [MODERN, OLDER])
def test_the_server_gets_the_message_that_was_judged_and_nothing_else(mcp: McpGateway, version: str) -> None:
    call = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a1"}}, version=version)
    call["params"]["_meta"] |= {
        "traceparent": TRACE,
        "tracestate": "a=b",
        "baggage": "user=alice",
        "com.example/user": "alice",
    }
    mcp.post(call, version=version, x_user="alice", cookie="a=b", mcp_session_id="s", baggage="user=alice")
    [arrived] = mcp.resource.arrived
    sent = json.loads(arrived.body)
    traceparent = sent["params"]["_meta"].pop("traceparent")
    assert [traceparent] == arrived.header("traceparent")
    assert traceparent.split("-")[1] == TRACE.split("-")[1]
    for name in ("traceparent", "tracestate", "baggage", "com.example/user"):
        call["params"]["_meta"].pop(name)
    assert sent == call
    repeated = {"mcp-method", "mcp-name"} if version == MODERN else set()
    assert {name for name, _ in arrived.headers} == repeated | {
        *("host", "accept", "authorization", "content-length", "content-type"),
        *("mcp-protocol-version", "traceparent", "user-agent", "via"),
    }
    assert (arrived.path, arrived.query) == (b"/mcp", b"")


def test_the_trace_of_the_header_comes_before_that_of_meta(mcp: McpGateway, records: Records) -> None:
    call = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a1"}})
    call["params"]["_meta"]["traceparent"] = TRACE.replace("0af7", "ffff")
    records()
    mcp.post(call, traceparent=TRACE)
    assert records()[0]["trace_id"] == TRACE.split("-")[1]


def test_the_list_is_for_one_caller_and_says_so_to_caches(mcp: McpGateway) -> None:
    answer = mcp.post(message("tools/list"))
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private", "authorization")
    result = answer.json()["result"]
    assert (result["cacheScope"], result["ttlMs"], result["resultType"]) == ("private", 30_000, "complete")
    older = mcp.post(message("tools/list", version=OLDER), version=OLDER).json()["result"]
    assert older == {"tools": result["tools"]}
    deeper: dict[str, Any] = {"act": {"sub": AGENT, "act": {"sub": "https://other.example.com"}}}
    told = mcp.post(message("tools/list"), authorization=f"Bearer {mcp.token(**deeper)}")
    assert [tool["name"] for tool in told.json()["result"]["tools"]] == ["read_thing"]


def test_an_event_stream_passes_while_it_goes_on(mcp: McpGateway, tmp_path: Any) -> None:
    let_end = threading.Event()
    server = tools_server(let_end)
    (tmp_path / "policy.yaml").write_text(mcp_policy(definitions(server)))
    changes = {"data_dir": tmp_path, "policy_file": tmp_path / "policy.yaml"}
    call = message("tools/call", {"name": "wait", "arguments": {}})
    call["params"]["_meta"]["progressToken"] = 1
    with serve(McpResource.of(server)) as upstream:
        settings = mcp.settings.model_copy(update={**changes, "upstream_url": upstream})
        with serve(create_app(settings)) as url:
            headers = headers_of(call) | bearer(mcp.token())
            with httpx2.stream("POST", f"{url}/mcp", json=call, headers=headers) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert answer.headers["decision"].startswith("permit")
                pieces = answer.iter_text()
                assert "notifications/progress" in next(pieces)
                assert not let_end.is_set()
                let_end.set()
                assert "waited" in "".join(pieces)
