"""Shows `/mcp` to clients that nobody here wrote: the official SDK's, in both revisions of the protocol."""

import json
from typing import Any, Literal

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult

from account_api.__main__ import main
from tests.account_api.banks import Bank, transfer_order
from tests.account_api.mcp_calls import HANDSHAKE, MODERN, OPERATIONS, official_client

pytestmark = pytest.mark.asyncio
Mode = Literal["auto", "legacy"]
MODES: dict[Mode, str] = {"auto": MODERN, "legacy": HANDSHAKE}


async def called(client: Client, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_finds_and_calls_every_tool(bank: Bank, mode: Mode) -> None:
    token = bank.issuer.delegation_token("account:read_balance account:read_transactions account:transfer")
    async with official_client(bank.url, token, mode) as client:
        assert client.session.protocol_version == MODES[mode]
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {tool for _, _, tool, _ in OPERATIONS.values()}
        for operation, (_, path, name, arguments) in OPERATIONS.items():
            key = {"idempotency_key": f"official-{mode}"} if name == "transfer" else {}
            result = await called(client, name, arguments | key)
            assert not result.is_error
            jsonschema.validate(result.structured_content, tools[name].output_schema or {})
            if operation not in {"account.transfer", "account.read_balance"}:
                assert result.structured_content == bank.get(path, token).json()


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_shows_the_banks_refusal(bank: Bank, mode: Mode) -> None:
    token = bank.issuer.delegation_token("account:transfer")
    order = transfer_order(to="Nobody") | {"idempotency_key": f"refused-{mode}"}
    async with official_client(bank.url, token, mode) as client:
        result = await called(client, "transfer", order)
    assert result.is_error
    [part] = result.content
    assert part.type == "text"
    problem = json.loads(part.text)
    assert problem["type"].endswith("/recipient-unknown")
    assert "Maria Lopez" in problem["payees"]


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_shows_which_scope_is_missing(bank: Bank, mode: Mode) -> None:
    token = bank.issuer.delegation_token("account:read_balance")
    async with official_client(bank.url, token, mode) as client:
        with pytest.raises(MCPError) as refusal:
            await client.call_tool("read_transactions", {"account_id": "4001-01"})
    assert refusal.value.error.code == -32001
    assert refusal.value.error.data["required_scopes"] == ["account:read_transactions"]
    assert refusal.value.error.data["record_id"] == bank.ledger.records()[-1].decision_id


@pytest.mark.parametrize("token", ["not-a-token", None])
@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_shows_that_the_token_is_not_good(
    bank: Bank, mode: Mode, token: str | None
) -> None:
    sent = token or bank.issuer.delegation_token("account:read_balance", life=-1)
    with pytest.raises((MCPError, ExceptionGroup)) as refusal:
        async with official_client(bank.url, sent, mode) as client:
            await client.list_tools()
    error: BaseException = refusal.value
    while isinstance(error, BaseExceptionGroup):
        [error] = error.exceptions
    assert isinstance(error, MCPError)
    assert error.error.code == -32001
    assert error.error.data["kind"] == "invalid-token"


@pytest.mark.parametrize("mode", MODES)
async def test_the_tools_that_the_command_prints_are_those_that_clients_see(
    bank: Bank, mode: Mode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tools"]) == 0
    printed = capsys.readouterr().out
    async with official_client(bank.url, bank.issuer.delegation_token(""), mode) as client:
        listed = (await client.list_tools()).tools
    seen = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
    assert json.loads(printed) == {"tools": seen}
    assert printed == json.dumps({"tools": seen}, indent=2, sort_keys=True) + "\n"


async def test_every_tool_says_whether_it_reads_or_moves_money(bank: Bank) -> None:
    async with official_client(bank.url, bank.issuer.delegation_token(""), "auto") as client:
        tools = (await client.list_tools()).tools
    hints = {tool.name: tool.annotations.model_dump(exclude_none=True) for tool in tools if tool.annotations}
    reads = {
        "read_only_hint": True,
        "destructive_hint": False,
        "idempotent_hint": True,
        "open_world_hint": False,
    }
    assert hints == {tool: reads for _, _, tool, _ in OPERATIONS.values()} | {
        "transfer": reads | {"read_only_hint": False, "destructive_hint": True}
    }
    assert all(tool.input_schema["additionalProperties"] is False for tool in tools)
