"""A call by MCP is told like the same call by REST, and a rule has a verdict by each."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.e2e.in_process import InProcess
from tests.e2e.reports.document import document
from tests.e2e.rules import rules
from tests.e2e.runner import run, selected, try_rule
from tests.e2e.target import Target
from tests.e2e.target_file import McpFile, OperationFile
from tests.e2e.transport import Call, McpCaller
from tests.e2e.twins import tool_calls
from tests.e2e.verdict import Verdict
from tests.e2e.wire import Wire
from tests.serving import serve

OPERATION = OperationFile(path="/a", tool="read", arguments={"id": "1"})
PROBLEM = {"content": [{"type": "text", "text": '{"status": 404}'}], "isError": True}


@pytest.fixture
def caller() -> Iterator[Callable[..., McpCaller]]:
    wire = Wire(by_proxy=False)
    yield lambda **fields: McpCaller(wire, McpFile(**fields))
    wire.close()


@contextmanager
def server(answer: Callable[[Any], Response]) -> Iterator[tuple[str, list[Request]]]:
    arrived: list[Request] = []

    async def handle(request: Request) -> Response:
        arrived.append(request)
        return answer(json.loads(await request.body()))

    with serve(Starlette(routes=[Route("/mcp", handle, methods=["POST"])])) as url:
        yield url, arrived


def rpc(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, **members})


def stream(*messages: str) -> Response:
    events = "".join(f"event: message\r\ndata: {one}\r\n\r\n" for one in messages)
    return Response(events, media_type="text/event-stream")


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (rpc(result={"structuredContent": {"a": 1}, "content": []}), 200, '{"a": 1}'),
        (rpc(result={"content": [{"type": "text", "text": "one"}]}), 200, "one"),
        (rpc(result=PROBLEM), 404, '{"status": 404}'),
        (rpc(result={"content": [{"type": "text", "text": "no"}], "isError": True}), 403, "no"),
        (rpc(result={"content": "odd", "isError": True}), 403, ""),
        (rpc(error={"code": 429, "message": "m"}), 429, None),
        (rpc(error={"code": -32602, "message": "m"}), 400, None),
        (rpc(error="odd"), 400, None),
        ('{"served": "anyway"}', 200, '{"served": "anyway"}'),
    ],
)
def test_what_a_tool_answers_is_told_as_by_rest(
    answer: str, status: int, body: str | None, caller: Callable[..., McpCaller]
) -> None:
    progress = '{"jsonrpc": "2.0", "method": "notifications/progress"}'
    ways = [lambda _: Response(answer, media_type="application/json"), lambda _: stream(progress, answer)]
    for way in ways if "jsonrpc" in answer else ways[:1]:
        with server(way) as (url, _):
            told = caller().call(Call(OPERATION, url, []))
        assert told.status == status
        assert body is None or told.text == body


def test_a_refusal_of_http_is_told_as_it_is(caller: Callable[..., McpCaller]) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="a"'}
    refusal = json.loads(rpc(error={"code": -32600, "message": "m"}))
    with server(lambda _: JSONResponse(refusal, 403, challenge)) as (url, _):
        told = caller().call(Call(OPERATION, url, []))
    assert (told.status, told.headers["WWW-Authenticate"]) == (403, challenge["WWW-Authenticate"])


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_a_message_is_of_the_revision_that_the_file_names(
    revision: Any, caller: Callable[..., McpCaller]
) -> None:
    messages: list[Any] = []

    def keep(message: Any) -> Response:
        messages.append(message)
        return JSONResponse({})

    with server(keep) as (url, arrived):
        call = Call(OPERATION, url, [], query=[("a", "b")], idempotency_key="k")
        caller(revision=revision).call(call)
    [params] = [one["params"] for one in messages]
    assert (params["name"], params["arguments"]) == ("read", {"id": "1", "idempotency_key": "k"})
    assert arrived[0].headers["mcp-protocol-version"] == revision
    assert arrived[0].url.query == "a=b"
    is_modern = revision == "2026-07-28"
    assert ("_meta" in params, "mcp-name" in arrived[0].headers) == (is_modern, is_modern)


def test_a_rule_that_is_broken_by_mcp_alone_is_broken_and_the_report_says_where(
    bank: InProcess, target: Target
) -> None:
    with tool_calls.forgets_the_actor_of_tool_calls(bank):
        found = run(target, selected(["RS-71", "RS-63", "TX-02"]))
    broken, metadata, exchange = sorted(
        document(found, profile=True)["results"], key=lambda one: ("RS-71", "RS-63", "TX-02").index(one["id"])
    )
    assert (broken["verdict"], broken["by_transport"]) == ("fail", {"REST": "pass", "MCP": "fail"})
    assert broken["expected"].startswith("by MCP: ")
    assert "/mcp" in broken["evidence"][broken["decisive"]]["request"]
    assert metadata["by_transport"] == {"REST": "pass"}
    assert exchange["by_transport"] == {}


def test_without_an_mcp_endpoint_the_rules_are_tried_by_rest(bank: InProcess) -> None:
    with bank.target(mcp=False) as target:
        target.prepare()
        by_rest, by_mcp = (try_rule(target, rules()[one]) for one in ("RS-91", "RS-66"))
    assert by_rest.by_transport == {"REST": Verdict.PASS}
    assert by_mcp.verdict is Verdict.NOT_RUN
    assert "[resource.mcp]" in by_mcp.reason
