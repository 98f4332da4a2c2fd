"""The real account API behind the real gateway: every operation is the same by REST and by MCP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from account_api.mcp_tools import definitions
from gateway.app import create_app
from gateway.policy_file import read_policy
from gateway.settings import Settings
from gateway.tool_definition import ToolDefinition
from tests.account_api.banks import open_bank, sqlite_url
from tests.account_api.mcp_calls import OPERATIONS
from tests.clock import SetClock
from tests.gateway.conftest import Records, bearer
from tests.gateway.mcp_resource import MODERN, OLDER, headers_of, message, sdk_client
from tests.issuer import AGENT, TestIssuer
from tests.serving import serve

PACKAGED = Settings().policy_file


@pytest.fixture(scope="module")
def clocked_issuer() -> Iterator[TestIssuer]:
    with TestIssuer(clock=SetClock()).serving() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def bank(clocked_issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway's address, before a bank of its own."""
    folder = tmp_path_factory.mktemp("bank")
    with open_bank(sqlite_url(folder), clocked_issuer) as bank:
        settings = Settings(jwks_uri=clocked_issuer.jwks_uri, upstream_url=bank.url, data_dir=folder)
        with serve(create_app(settings, SetClock())) as url:
            yield url


def test_the_packaged_policy_accepts_what_the_account_api_says_of_its_tools() -> None:
    """After a change of a tool: `python -m account_api tools` and `python -m gateway tools accept`."""
    policy = read_policy(PACKAGED)
    said = {tool.name: tool.sha256 for tool in map(ToolDefinition.of, definitions())}
    assert {one.tool: one.tool_sha256 for one in policy.operations.values()} == said
    assert all(ToolDefinition.of(one).fault is None for one in definitions())


def test_every_operation_of_the_policy_is_compared_below() -> None:
    assert read_policy(PACKAGED).operations.keys() == OPERATIONS.keys()
    assert {tool for _, _, tool, _ in OPERATIONS.values()} == {one["name"] for one in definitions()}


@pytest.mark.parametrize("version", [MODERN, OLDER])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_answers_and_is_recorded_alike_by_rest_and_by_mcp(
    operation: str, version: str, bank: str, clocked_issuer: TestIssuer, records: Records
) -> None:
    scope, path, tool, arguments = OPERATIONS[operation]
    token, key = clocked_issuer.delegation_token(scope), f"{operation}-{version}"
    records()
    if operation == "account.transfer":
        headers = bearer(token) | {"idempotency-key": key}
        by_rest = httpx2.post(f"{bank}{path}", json=arguments, headers=headers)
        arguments = arguments | {"idempotency_key": key}
    else:
        by_rest = httpx2.get(f"{bank}{path}", headers=bearer(token))
    call = message("tools/call", {"name": tool, "arguments": arguments}, version=version)
    headers = bearer(token) | headers_of(call, version=version)
    by_mcp = httpx2.post(f"{bank}/mcp", json=call, headers=headers)
    assert (by_rest.status_code, by_mcp.status_code) == (201 if tool == "transfer" else 200, 200)
    assert by_mcp.json()["result"]["structuredContent"] == by_rest.json()
    written = [one for one in records() if one["service"] == "gateway"]
    assert written[0]["resource"] == path.partition("?")[0]
    for its_own in ("decision_id", "trace_id"):
        for one in written:
            del one[its_own]
    assert (written[0]["call"].pop("method"), written[1]["call"].pop("method")) == (
        "POST" if tool == "transfer" else "GET",
        "tools/call",
    )
    assert written[1]["call"].pop("tool") == tool
    assert written[0] == written[1]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("claims", "scope"),
    [({}, "account:nothing"), ({"act": None}, None), ({"act": {"sub": "https://other.example.com"}}, None)],
    ids=["scope", "no actor", "another actor"],
)
def test_every_operation_is_refused_alike_by_rest_and_by_mcp(
    operation: str, claims: dict[str, Any], scope: str | None, bank: str, clocked_issuer: TestIssuer
) -> None:
    needed, path, tool, arguments = OPERATIONS[operation]
    token = clocked_issuer.delegation_token(scope or needed, **claims)
    method = "POST" if tool == "transfer" else "GET"
    by_rest = httpx2.request(method, f"{bank}{path}", headers=bearer(token))
    call = message("tools/call", {"name": tool, "arguments": arguments})
    by_mcp = httpx2.post(f"{bank}/mcp", json=call, headers=bearer(token) | headers_of(call))
    assert by_mcp.status_code == by_rest.status_code == 403
    data, problem = by_mcp.json()["error"]["data"], by_rest.json()
    assert {name: data[name] for name in ("reason", "operation")} == {
        name: problem[name] for name in ("reason", "operation")
    }
    assert problem["type"].endswith(data["kind"])
    assert data["required_scopes"] == [needed]
    assert by_mcp.headers["decision"] == by_rest.headers["decision"]


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["legacy", "auto", MODERN])
async def test_the_official_client_reads_a_balance(mode: str, bank: str, clocked_issuer: TestIssuer) -> None:
    token = clocked_issuer.delegation_token("account:read_balance")
    async with sdk_client(bank, token, mode) as client:
        shown = [tool.name for tool in (await client.list_tools()).tools]
        assert shown == ["list_accounts", "read_balance"]
        result = await client.call_tool("read_balance", {"account_id": "4001-01"})
        assert not result.is_error
        assert json.loads(json.dumps(result.structured_content))["account_id"] == "4001-01"
        other = await client.call_tool("read_balance", {"account_id": "9999-99"})
        assert other.is_error


def test_what_the_policy_lets_nobody_do_reaches_no_bank(bank: str, clocked_issuer: TestIssuer) -> None:
    order = OPERATIONS["account.transfer"][3]
    large = order | {"amount": {"amount_minor": 100_001, "currency": "EUR"}, "idempotency_key": "large"}
    call = message("tools/call", {"name": "transfer", "arguments": large})
    token = clocked_issuer.delegation_token("account:transfer", act={"sub": AGENT})
    answer = httpx2.post(f"{bank}/mcp", json=call, headers=bearer(token) | headers_of(call))
    assert answer.json()["error"]["data"]["kind"] == "condition-not-met"
