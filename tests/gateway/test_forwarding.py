"""What of a permitted call reaches the resource and what of its answer comes back: rule 64, streaming."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from starlette.types import Receive, Send

from gateway.settings import Settings
from tests.gateway.conftest import Records, bearer, gateway_with
from tests.gateway.recording import Arrived, RecordingResource, answer, plain, read_body
from tests.gateway.wire import connected, exchange, get, request
from tests.issuer import TestIssuer

PATH = "/accounts/4001-01/balance"
LIMIT = 64 * 1024


@pytest.fixture
def token(issuer: TestIssuer) -> str:
    return issuer.delegation_token("account:read_balance account:transfer")


def test_64_identity_and_hop_by_hop_headers_never_reach_the_resource(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    unwanted = [
        "Accept-Encoding",
        "Act",
        "Authorization_",
        "Baggage",
        "Cookie",
        "Decision",
        "Decision-Id",
        "DPoP",
        "Forwarded",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Remote-User",
        "Sub",
        "TE",
        "Tracestate",
        "Trailer",
        "Upgrade",
        "Via",
        "X-Authenticated-Sub",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-User",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "X-Real-IP",
        "X-User",
    ]
    answer = client.get(
        PATH, headers=[("authorization", f"Bearer {token}"), *((name, "x") for name in unwanted)]
    )
    assert answer.status_code == 200
    [arrived] = resource.arrived
    assert {name for name, _ in arrived.headers} == {
        "host", "accept", "authorization", "user-agent", "traceparent", "via",
    }  # fmt: skip
    assert arrived.header("via") == ["1.1 agent-gateway"]


def test_the_headers_that_the_resource_needs_reach_it_as_they_were_sent(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    sent = {
        "accept": "application/json;q=0.9, */*",
        "accept-language": "de, en;q=0.5",
        "authorization": f"Bearer {token}",
        "content-type": "application/json; charset=utf-8",
        "idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
        "user-agent": "agent/1 (x; y)",
    }
    assert client.post("/transfers", headers=sent, content=b"{}").status_code == 200
    [arrived] = resource.arrived
    assert {name: arrived.header(name) for name in sent} == {name: [value] for name, value in sent.items()}
    assert arrived.header("content-length") == ["2"]
    assert arrived.body == b"{}"


def test_the_resource_sees_its_own_host_whatever_the_caller_names(
    gateway: str, resource: RecordingResource, settings: Settings, token: str
) -> None:
    assert exchange(gateway, get(PATH, token, host="evil.example.com")).status_code == 200
    assert exchange(gateway, get(f"http://evil.example.com{PATH}", token)).status_code == 200
    for arrived in resource.arrived:
        assert arrived.header("host") == [settings.upstream_url.removeprefix("http://")]
        assert arrived.path == PATH.encode()


def test_path_and_query_reach_the_resource_byte_for_byte(
    gateway: str, resource: RecordingResource, token: str
) -> None:
    path = "/accounts/a-Z.0_~!$&'()*+,=:@/transactions"
    query = 'from=2025-01-01&x=%2F%2e&x=a+b&&y;z=%zz&[]={}|\\^`"<>?/'
    token_query = token
    answer = exchange(gateway, get(f"{path}?{query}", token_query))
    assert answer.status_code == 403
    answer = exchange(gateway, get(f"{PATH.replace('4001-01', path.split('/')[2])}?{query}", token))
    assert answer.status_code == 200
    [arrived] = resource.arrived
    assert arrived.path == PATH.replace("4001-01", path.split("/")[2]).encode()
    assert arrived.query == query.encode()


AMBIGUOUS: dict[str, tuple[str, ...]] = {
    "two keys": ("Idempotency-Key: a", "Idempotency-Key: b"),
    "two types": ("Content-Type: application/json", "Content-Type: text/plain"),
    "two hosts": ("Host: other",),
    "two lengths": ("Content-Length: 0", "Content-Length: 0"),
    "length and chunked": ("Content-Length: 0", "Transfer-Encoding: chunked"),
    "two encodings": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "a compressed transfer": ("Transfer-Encoding: gzip, chunked",),
    "a compressed body": ("Content-Encoding: gzip", "Content-Length: 0"),
    "a token for this connection only": ("Connection: close, Authorization",),
    "a value that is not ASCII": ("User-Agent: é",),
    "a folded line": ("Idempotency-Key: a", " b"),
    "a space before the colon": ("Idempotency-Key : a",),
    "a bare CR": ("Idempotency-Key: a\rX: b",),
    "a NUL": ("Idempotency-Key: a\x00b",),
    "a length with a sign": ("Content-Length: +0",),
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_request_that_two_servers_could_read_differently_is_answered_400(
    lines: tuple[str, ...], gateway: str, resource: RecordingResource, token: str
) -> None:
    answer = exchange(gateway, request("POST", "/transfers", token, *lines))
    assert answer.status_code == 400
    assert resource.arrived == []


def test_hop_by_hop_headers_cookies_and_the_servers_name_do_not_come_back(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    async def talkative(arrived: Arrived, receive: Receive, send: Send) -> None:
        names = [b"Server", b"X-Powered-By", b"Set-Cookie", b"Keep-Alive", b"Upgrade", b"X-Hop", b"Decision"]
        extra = [(name, b"unwanted") for name in [*names, b"Decision-Id", b"Trailer", b"Proxy-Authenticate"]]
        extra += [
            (b"Connection", b"X-Hop, close"),
            (b"Record-Id", b"r1"),
            (b"Link", b"<a>"),
            (b"Link", b"<b>"),
        ]
        await read_body(arrived, receive)
        await answer(send, b"{}", 201, tuple(extra))

    resource.handler = talkative
    got = client.post("/transfers", headers=bearer(token), json={})
    assert got.status_code == 201
    assert "unwanted" not in str(got.headers)
    assert "x-hop" not in got.headers
    assert got.headers["record-id"] == "r1"
    assert got.headers.get_list("link") == ["<a>", "<b>"]
    assert len(got.headers.get_list("date")) == 1


def test_a_cookie_of_the_resource_is_not_sent_back_to_it_with_another_callers_call(
    settings: Settings, resource: RecordingResource, token: str
) -> None:
    async def with_cookie(arrived: Arrived, receive: Receive, send: Send) -> None:
        await answer(send, b"{}", headers=((b"set-cookie", b"session=1"),))

    resource.handler = with_cookie
    # By name: clients keep no cookies for a bare IP address in any case.
    with gateway_with(
        settings, upstream_url=settings.upstream_url.replace("127.0.0.1", "localhost")
    ) as client:
        for _ in range(2):
            assert client.get(PATH, headers=bearer(token)).status_code == 200
    assert [arrived.header("cookie") for arrived in resource.arrived] == [[], []]


@pytest.mark.parametrize("status", [204, 301, 304, 307, 401, 404, 422, 500, 503])
def test_the_resources_own_answer_comes_back_whatever_its_status(
    status: int, client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    async def with_status(arrived: Arrived, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"location", b"/elsewhere")]}
        )
        await send(
            {"type": "http.response.body", "body": b"" if status in {204, 304} else b"from the resource"}
        )

    resource.handler = with_status
    got = client.get(PATH, headers=bearer(token))
    assert (got.status_code, got.headers["location"]) == (status, "/elsewhere")
    assert got.headers["decision"].startswith("permit;")
    assert got.content == (b"" if status in {204, 304} else b"from the resource")
    assert len(resource.arrived) == 1, "a redirect is the caller's to follow"


def test_a_compressed_answer_passes_as_it_is(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    async def compressed(arrived: Arrived, receive: Receive, send: Send) -> None:
        await answer(send, b"not really gzip", headers=((b"content-encoding", b"gzip"),))

    resource.handler = compressed
    with client.stream("GET", PATH, headers=bearer(token)) as got:
        assert got.headers["content-encoding"] == "gzip"
        assert b"".join(got.iter_raw()) == b"not really gzip"


def test_an_answer_is_passed_on_while_it_is_still_being_written(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    first_arrived = threading.Event()

    async def slow(arrived: Arrived, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        assert await in_thread(first_arrived)
        await send({"type": "http.response.body", "body": b"last"})

    resource.handler = slow
    with client.stream("GET", PATH, headers=bearer(token)) as got:
        pieces = got.iter_raw()
        assert next(pieces) == b"first"
        first_arrived.set()
        assert b"".join(pieces) == b"last"


@pytest.mark.parametrize("length", [None, 9])
def test_a_body_is_passed_on_while_it_is_still_being_sent(
    length: int | None, client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    first_arrived = threading.Event()

    async def reading(arrived: Arrived, receive: Receive, send: Send) -> None:
        while not arrived.body:
            arrived.body += (await receive())["body"]
        first_arrived.set()
        await plain(arrived, receive, send)

    def body() -> Iterator[bytes]:
        yield b"first"
        assert first_arrived.wait(5), "the gateway held the body back"
        yield b"last"

    resource.handler = reading
    headers = bearer(token) | ({"content-length": str(length)} if length else {})
    assert client.post("/transfers", headers=headers, content=body()).status_code == 200
    [arrived] = resource.arrived
    assert (arrived.body, arrived.complete) == (b"firstlast", True)
    assert arrived.header("content-length") == ([str(length)] if length else [])


def test_a_body_that_drips_takes_no_place_from_others_for_ever(
    settings: Settings, resource: RecordingResource, token: str
) -> None:
    first_arrived, served = threading.Event(), threading.Event()

    async def reading(arrived: Arrived, receive: Receive, send: Send) -> None:
        first_arrived.set()
        await read_body(arrived, receive)
        await plain(arrived, receive, send)

    def body() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x"
            if served.wait(0.05):
                return

    resource.handler = reading
    with (
        gateway_with(settings, upstream_max_connections=1, held_body_seconds=0.5) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        slow = pool.submit(client.post, "/transfers", headers=bearer(token), content=body())
        assert first_arrived.wait(5)
        assert client.get(PATH, headers=bearer(token)).status_code == 200
        served.set()
        got = slow.result()
    assert (got.status_code, got.json()["type"].rpartition("/")[2]) == (408, "body-too-slow")
    assert [arrived.complete for arrived in resource.arrived if arrived.method == "POST"] == [False]


def test_a_caller_that_pauses_in_its_body_is_not_told_that_the_resource_is_late(
    settings: Settings, resource: RecordingResource, token: str
) -> None:
    def body() -> Iterator[bytes]:
        yield b"first"
        time.sleep(0.5)
        yield b"last"

    with gateway_with(settings, upstream_read_timeout_seconds=0.2) as client:
        assert client.post("/transfers", headers=bearer(token), content=body()).status_code == 200
    assert [arrived.body for arrived in resource.arrived] == [b"firstlast"]


def test_a_body_of_exactly_the_limit_passes(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    body = b"x" * LIMIT
    assert client.post("/transfers", headers=bearer(token), content=body).status_code == 200
    assert client.post("/transfers", headers=bearer(token), content=iter([body])).status_code == 200
    assert [(arrived.body, arrived.complete) for arrived in resource.arrived] == [(body, True)] * 2


def test_a_body_that_says_it_is_too_long_is_answered_413_before_any_of_it_is_sent_on(
    client: httpx2.Client, resource: RecordingResource, token: str, records: Records
) -> None:
    got = client.post("/transfers", headers=bearer(token), content=b"x" * (LIMIT + 1))
    assert got.status_code == 413
    assert got.json()["detail"].endswith("Send at most 65536 bytes.")
    assert resource.arrived == []
    assert [record["decision"] for record in records()] == ["deny"]


def test_a_body_that_turns_out_too_long_is_answered_413_and_never_looks_complete_to_the_resource(
    client: httpx2.Client, resource: RecordingResource, token: str
) -> None:
    first_arrived, gone = threading.Event(), threading.Event()

    async def reading(arrived: Arrived, receive: Receive, send: Send) -> None:
        arrived.body += (await receive())["body"]
        first_arrived.set()
        await read_body(arrived, receive)
        gone.set()

    def body() -> Iterator[bytes]:
        yield b"first"
        assert first_arrived.wait(5)
        yield b"x" * LIMIT

    resource.handler = reading
    got = client.post("/transfers", headers=bearer(token), content=body())
    assert got.status_code == 413
    assert got.json()["type"] == "https://delegation-bank.example/problems/content-too-large"
    assert gone.wait(5)
    assert [arrived.complete for arrived in resource.arrived] == [False]


def test_the_limit_is_a_setting(settings: Settings, resource: RecordingResource, token: str) -> None:
    with gateway_with(settings, max_body_bytes=3) as client:
        assert client.post("/transfers", headers=bearer(token), content=b"123").status_code == 200
        assert client.post("/transfers", headers=bearer(token), content=b"1234").status_code == 413
        assert (
            client.post("/transfers", headers=bearer(token), content=iter([b"12", b"34"])).status_code == 413
        )


def test_a_body_is_invited_only_after_the_decision(
    gateway: str, resource: RecordingResource, token: str
) -> None:
    lines = ("Expect: 100-continue", "Content-Length: 2")
    for sent, first in ((token, b"HTTP/1.1 100"), ("", b"HTTP/1.1 401")):
        with connected(gateway) as connection:
            connection.sendall(request("POST", "/transfers", sent, *lines))
            assert connection.recv(len(first)) == first


def test_a_caller_that_goes_away_in_mid_body_never_looks_complete_to_the_resource(
    gateway: str, resource: RecordingResource, token: str
) -> None:
    first_arrived, gone = threading.Event(), threading.Event()

    async def reading(arrived: Arrived, receive: Receive, send: Send) -> None:
        arrived.body += (await receive())["body"]
        first_arrived.set()
        await read_body(arrived, receive)
        gone.set()

    resource.handler = reading
    with connected(gateway) as connection:
        head = request("POST", "/transfers", token, "Transfer-Encoding: chunked")
        connection.sendall(head + b"5\r\nfirst\r\n")
        assert first_arrived.wait(5)
    assert gone.wait(5)
    [arrived] = resource.arrived
    assert (arrived.body, arrived.complete) == (b"first", False)


def test_an_answer_that_comes_before_the_body_has_ended_is_passed_on(
    gateway: str, resource: RecordingResource, token: str
) -> None:
    async def early(arrived: Arrived, receive: Receive, send: Send) -> None:
        await answer(send, b"{}", 422)

    resource.handler = early
    got = exchange(gateway, request("POST", "/transfers", token, "Content-Length: 9", body=b"first"))
    assert got.status_code == 422


def test_a_websocket_is_refused(
    gateway: str, resource: RecordingResource, token: str, records: Records
) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    lines = ("Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 13")
    got = exchange(gateway, get(PATH, token, *lines))
    assert got.status_code == 400
    assert got.json()["type"] == "https://delegation-bank.example/problems/no-websocket"
    assert resource.arrived == []
    assert [record["decision"] for record in records()] == ["deny"]


async def in_thread(event: threading.Event) -> bool:
    return await asyncio.to_thread(event.wait, 5)


@pytest.mark.parametrize(
    "lines", [("Transfer-Encoding: chunked",), ("Content-Length: 5",)], ids=["chunked", "of a length"]
)
def test_a_body_where_the_operation_takes_none_is_refused_before_it_comes(
    gateway: str, resource: RecordingResource, token: str, records: Records, lines: tuple[str, ...]
) -> None:
    refused = exchange(gateway, get(PATH, token, *lines))
    assert (refused.status_code, refused.json()["reason"]) == (400, "account.read_balance takes no body.")
    assert exchange(gateway, get(PATH, token, "Content-Length: 0")).status_code == 200
    assert len(resource.arrived) == 1
    assert [record["decision"] for record in records()] == ["deny", "permit"]
