"""What is no message of MCP, or could be read in two ways, goes no further, and is answered as MCP says."""

import json
from typing import Any

import httpx2
import pytest

from tests.gateway.conftest import Records, gateway_with
from tests.gateway.mcp_fixtures import McpGateway
from tests.gateway.mcp_resource import MODERN, OLDER, message
from tests.gateway.wire import exchange, request

CALL = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a"}}, version=OLDER)
TEXT = json.dumps(CALL)

MALFORMED = {
    "nothing": (b"", -32700),
    "no JSON": (b'{"jsonrpc": "2.0"', -32700),
    "NaN": (TEXT.replace("7", "NaN").encode(), -32700),
    "Latin-1": (TEXT.replace("read_thing", "r\u00e9ad").encode("latin-1"), -32700),
    "UTF-16": (TEXT.encode("utf-16"), -32700),
    "brackets without end": (b"[" * 60_000, -32700),
    "an endless number": (TEXT.replace("7", "9" * 5000).encode(), -32700),
    "a batch": (f"[{TEXT}]".encode(), -32600),
    "an empty batch": (b"[]", -32600),
    "a text": (b'"tools/call"', -32600),
    "a method twice": (TEXT.replace('"id"', '"method": "ping", "id"').encode(), -32600),
    "a member twice in other letters": (TEXT.replace('"id"', '"Method": "ping", "id"').encode(), -32600),
    "an argument twice": (TEXT.replace('"thing_id"', '"thing_id": "b", "thing_id"').encode(), -32600),
    "a number without end": (TEXT.replace('"a"', "1e999").encode(), -32600),
    "half a character": (TEXT.replace('"a"', '"\\ud800"').encode(), -32600),
    "too deep": (TEXT.replace('"a"', "[" * 33 + "]" * 33).encode(), -32600),
    "another version": (TEXT.replace('"2.0"', '"1.0"').encode(), -32600),
    "a response": (b'{"jsonrpc": "2.0", "id": 1, "result": {}}', -32600),
    "more than a request": (TEXT.replace('"id"', '"result": {}, "id"').encode(), -32600),
    "no method": (b'{"jsonrpc": "2.0", "id": 1}', -32600),
    "a method that is no text": (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
    "an id that is null": (TEXT.replace("7", "null").encode(), -32600),
    "an id that is true": (TEXT.replace("7", "true").encode(), -32600),
    "an id that is a fraction": (TEXT.replace("7", "7.5").encode(), -32600),
    "params that are a list": (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', -32600),
    "_meta that is a list": (TEXT.replace('"_meta": {}', '"_meta": []').encode(), -32600),
}


@pytest.mark.parametrize(("body", "code"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_message_is_refused(body: bytes, code: int, mcp: McpGateway, records: Records) -> None:
    records()
    answer = mcp.send(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert records()[0]["decision"] == "deny"
    assert mcp.resource.arrived == []


def test_the_plain_message_of_these_tests_is_taken(mcp: McpGateway) -> None:
    assert mcp.send(TEXT.encode()).status_code == 200
    assert len(mcp.resource.called()) == 1


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"content_type": "text/plain"}, 415, "unsupported-media-type"),
        ({"content_type": "application/json; charset=latin-1"}, 415, "unsupported-media-type"),
        ({"accept": "application/json"}, 406, "not-acceptable"),
        ({"accept": "text/html"}, 406, "not-acceptable"),
        ({"content_encoding": "gzip"}, 400, "ambiguous-request"),
        ({"origin": "https://evil.example.com"}, 403, "foreign-origin"),
        ({"origin": "null"}, 403, "foreign-origin"),
        ({"mcp_protocol_version": "1900-01-01"}, 400, "unsupported-protocol-version"),
    ],
)
def test_what_the_http_request_must_not_be(
    changes: dict[str, str], status: int, kind: str, mcp: McpGateway
) -> None:
    answer = mcp.send(TEXT.encode(), **changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["data"]["kind"]) == (status, kind)
    assert mcp.resource.arrived == []
    if kind == "unsupported-protocol-version":
        assert error["code"] == -32022
        assert error["data"]["requested"] == "1900-01-01"
        assert error["data"]["supported"] == [MODERN, OLDER, "2025-06-18"]


def test_a_body_that_is_too_long_is_refused(mcp: McpGateway) -> None:
    answer = mcp.send(TEXT.replace('"a"', f'"{"a" * 70_000}"').encode())
    assert (answer.status_code, answer.json()["error"]["data"]["kind"]) == (413, "content-too-large")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_there_are_no_sessions_and_no_streams_apart(method: str, mcp: McpGateway) -> None:
    answer = httpx2.request(method, f"{mcp.url}/mcp", headers={"authorization": f"Bearer {mcp.token()}"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert httpx2.request(method, f"{mcp.url}/mcp").status_code == 401


MODERN_CALL = message("tools/call", {"name": "read_thing", "arguments": {"thing_id": "a"}})
DISAGREEING: dict[str, dict[str, str | None]] = {
    "no version": {"mcp_protocol_version": None},
    "another version": {"mcp_protocol_version": OLDER},
    "no method": {"mcp_method": None},
    "another method": {"mcp_method": "tools/list"},
    "the method in other letters": {"mcp_method": "Tools/Call"},
    "no name": {"mcp_name": None},
    "another name": {"mcp_name": "wait"},
    "a name in broken base64": {"mcp_name": "=?base64?cmVhZF90aGluZw?="},
    "another name in base64": {"mcp_name": "=?base64?d2FpdA==?="},
}


@pytest.mark.parametrize("changes", DISAGREEING.values(), ids=DISAGREEING)
def test_header_and_body_must_agree(changes: dict[str, str | None], mcp: McpGateway) -> None:
    answer = mcp.post(MODERN_CALL, **changes)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert answer.json()["id"] == 7
    assert mcp.resource.arrived == []


def test_a_name_may_be_written_in_base64(mcp: McpGateway) -> None:
    assert mcp.post(MODERN_CALL, mcp_name="=?base64?cmVhZF90aGluZw==?=").status_code == 200
    assert mcp.resource.arrived[0].header("mcp-name") == ["read_thing"]


def test_whitespace_around_a_value_is_none_of_it(mcp: McpGateway) -> None:
    body = json.dumps(MODERN_CALL).encode()
    lines = ["mcp-method: \ttools/call ", "mcp-name:  read_thing\t ", f"mcp-protocol-version: {MODERN}  "]
    lines += ["accept: */*", "content-type: application/json", f"content-length: {len(body)}"]
    answer = exchange(mcp.url, request("POST", "/mcp", mcp.token(), *lines, body=body))
    assert answer.status_code == 200
    assert mcp.resource.arrived[0].header("mcp-name") == ["read_thing"]


@pytest.mark.parametrize("named", [{"name": "greeting"}, {"uri": "file:///a"}])
def test_what_is_not_served_is_not_judged_by_its_name(named: dict[str, str], mcp: McpGateway) -> None:
    method = "prompts/get" if "name" in named else "resources/read"
    [name] = named.values()
    answer = mcp.post(message(method, named), mcp_name=name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)
    assert mcp.post(message(method, named), mcp_method="tools/list").json()["error"]["code"] == -32020


@pytest.mark.parametrize("name", ["mcp-method", "mcp-name", "mcp-protocol-version"])
def test_a_header_that_stands_there_twice_is_refused(name: str, mcp: McpGateway) -> None:
    values = {"mcp-method": "tools/call", "mcp-name": "read_thing", "mcp-protocol-version": MODERN}
    lines = [f"{one}: {value}" for one, value in values.items()] + [f"{name}: {values[name]}"]
    body = json.dumps(MODERN_CALL).encode()
    lines += ["accept: */*", "content-type: application/json", f"content-length: {len(body)}"]
    answer = exchange(mcp.url, request("POST", "/mcp", mcp.token(), *lines, body=body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize(
    "changes", [{"mcp_method": "tools/list"}, {"mcp_name": "wait"}, {"mcp_protocol_version": None}]
)
def test_in_an_older_revision_what_is_there_must_agree_all_the_same(
    changes: dict[str, Any], mcp: McpGateway
) -> None:
    answer = mcp.post(CALL, version=OLDER, **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert mcp.post(CALL, version=OLDER, mcp_method="tools/call", mcp_name="read_thing").status_code == 200


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
def test_what_meta_must_have_is_named(missing: str, mcp: McpGateway) -> None:
    body = message("tools/list")
    del body["params"]["_meta"][f"io.modelcontextprotocol/{missing}"]
    answer = mcp.post(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
    assert missing in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", ["resources/read", "prompts/list", "subscriptions/listen", "initialize"])
def test_a_method_that_is_not_let_through_is_not_found(method: str, mcp: McpGateway) -> None:
    answer = mcp.post(message(method))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize("method", ["resources/read", "logging/setLevel", "server/discover", "tasks/get"])
def test_in_an_older_revision_that_is_an_answer_like_any_other(method: str, mcp: McpGateway) -> None:
    answer = mcp.post(message(method, version=OLDER), version=OLDER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32601)
    assert answer.headers["decision"].startswith("deny")
    assert mcp.resource.arrived == []


def test_a_notification_is_taken_or_refused_without_an_id(mcp: McpGateway) -> None:
    known = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert mcp.send(json.dumps(known).encode()).status_code == 202
    answer = mcp.send(json.dumps(known | {"method": "tools/call", "params": CALL["params"]}).encode())
    assert (answer.status_code, answer.json()["id"]) == (400, None)
    assert mcp.resource.called() == []


def test_pages_of_origins_that_are_allowed_may_call(mcp: McpGateway) -> None:
    allowed = "https://one.example.com https://two.example.com"
    with gateway_with(mcp.settings, mcp_allowed_origins=allowed) as client:
        for origin, status in (("https://two.example.com", 200), ("https://three.example.com", 403)):
            answer = client.post(
                "/mcp",
                json=CALL,
                headers={
                    "accept": "*/*",
                    "authorization": f"Bearer {mcp.token()}",
                    "mcp-protocol-version": OLDER,
                    "origin": origin,
                },
            )
            assert answer.status_code == status
