"""Answers as they leave a server: framed as RFC 9112 has it, and without what no answer may have."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.delegation.http_served import served

pytestmark = pytest.mark.asyncio

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
THREE = [(b"Content-Length", b"3")]
Fields = list[tuple[bytes, bytes]]
App = Callable[[Any, Any, Any], Awaitable[None]]


def answering(*pieces: bytes, fields: Fields | None = None, status: int = 200) -> App:
    """Return an application that gives this answer, a message for each piece."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": fields or []})
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})

    return app


async def said(app: App, request: bytes) -> bytes:
    """Return all that comes until the server closes the connection."""
    async with served(app) as (_, address), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_head_and_body_leave_together() -> None:
    async with served(answering(b"whole", fields=[(b"content-length", b"5")])) as (made, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        await reader.readuntil(b"whole")
        writer.close()
    assert [data[-5:] for data in made[0].written] == [b"whole"]


async def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    go_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"late"})

    async with served(app) as (_, address), asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        assert b"transfer-encoding: chunked" in await reader.readuntil(b"\r\n\r\n")
        go_on.set()
        assert await reader.readuntil(b"0\r\n\r\n") == b"4\r\nlate\r\n0\r\n\r\n"
        writer.close()


@pytest.mark.parametrize(
    ("app", "request_", "end"),
    [
        (answering(b"a", b"bc"), LAST, b"\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
        (answering(b"a", b""), LAST, b"\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        (
            answering(b"", fields=[(b"content-length", b"0")]),
            LAST,
            b"content-length: 0\r\nconnection: close\r\n\r\n",
        ),
        (answering(b"", status=204), LAST, b"connection: close\r\n\r\n"),
        (
            answering(b"abc", fields=[(b"Content-Length", b"3")]),
            LAST.replace(b"GET", b"HEAD"),
            b"close\r\n\r\n",
        ),
        (
            answering(b"abc", fields=[(b"content-length", b"3")]),
            GET.replace(b"1.1", b"1.0"),
            b"close\r\n\r\nabc",
        ),
        (answering(b"x" * 99_999, fields=[(b"content-length", b"99999")]), LAST, b"\r\n\r\n" + b"x" * 99_999),
    ],
    ids=["chunks", "an empty last chunk", "empty", "no content", "HEAD", "HTTP/1.0", "long"],
)
async def test_answers_are_framed(app: App, request_: bytes, end: bytes) -> None:
    assert (await said(app, request_)).endswith(end)


async def test_an_application_can_close_the_connection() -> None:
    fields = [(b"content-length", b"2"), (b"connection", b"Close")]
    assert (await said(answering(b"ok", fields=fields), GET)).endswith(b"connection: Close\r\n\r\nok")


async def test_requests_that_do_not_wait_are_answered_in_turn() -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        path = scope["raw_path"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await asyncio.sleep(0.05 if path == b"/1" else 0)
        await send({"type": "http.response.body", "body": path})

    requests = b"".join(GET.replace(b"/ ", b"/%d " % number) for number in (1, 2)) + LAST.replace(
        b"/ ", b"/3 "
    )
    heads_and_bodies = (await said(app, requests)).split(b"HTTP/1.1 200 OK")[1:]
    assert [one[-2:] for one in heads_and_bodies] == [b"/1", b"/2", b"/3"]


@pytest.mark.parametrize(
    "field",
    [
        (b"x-text", b"a\r\nset-cookie: b=c"),
        (b"x-text", b"a\nset-cookie: b=c"),
        (b"x-text", b"a\rset-cookie: b=c"),
        (b"x-text", b"a\0b"),
        (b"x-text", b"a\x7fb"),
        (b"x text", b"a"),
        (b"x-text: a\r\nset-cookie", b"b=c"),
        (b"", b"a"),
    ],
)
async def test_an_answer_with_a_field_that_none_may_have_is_not_given(
    field: tuple[bytes, bytes],
) -> None:
    answer = await said(answering(b"ok", fields=[(b"content-length", b"2"), field]), LAST)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"cookie" not in answer
    assert b"x-text" not in answer
    assert answer.endswith(b"\r\n\r\nInternal Server Error")


async def test_of_an_answer_whose_head_is_not_given_there_is_no_body() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        fields = [(b"content-length", b"2"), (b"x-text", b"a\nb")]
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.start", "status": 200, "headers": fields})
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.body", "body": b"ok"})

    assert (await said(app, LAST)).startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(
    ("pieces", "length", "come"),
    [((b"longer",), b"3", b""), ((b"ab", b"cd"), b"3", b"ab"), ((b"ab",), b"3", b"ab")],
)
async def test_content_of_another_length_than_was_said_ends_the_connection(
    pieces: tuple[bytes, ...], length: bytes, come: bytes
) -> None:
    answer = await said(answering(*pieces, fields=[(b"content-length", length)]), GET)
    assert answer.partition(b"\r\n\r\n")[2] == come


async def test_nothing_is_sent_after_the_end() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(b"ok", fields=[(b"content-length", b"2")])(scope, receive, send)
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.body", "body": b"more"})
        with pytest.raises(RuntimeError):
            await send({"type": "http.response.start", "status": 200, "headers": []})

    assert (await said(app, LAST)).endswith(b"\r\n\r\nok")


async def test_a_trailer_field_is_no_header_field() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        names = b" ".join(name for name, _ in scope["headers"])
        await answering(names, fields=[(b"content-length", b"%d" % len(names))])(scope, receive, send)

    request = LAST.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    answer = await said(app, request + b"0\r\nAuthorization: Bearer x\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nhost connection transfer-encoding")


async def its_path(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the path that was asked for."""
    path = scope["raw_path"]
    await answering(path, fields=[(b"content-length", b"%d" % len(path))])(scope, receive, send)


UPGRADING = b"POST /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize("at", [1, 20, 60, 150])
async def test_what_follows_a_request_to_upgrade_that_is_not_done_is_the_next_request(at: int) -> None:
    head = b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(GET)
    requests = (UPGRADING + b"\r\n") * 2 + head + GET + LAST.replace(b"/ ", b"/3 ")
    async with served(its_path) as (_, address), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*address)
        # What the parser leaves over must not depend on how the bytes arrive.
        for piece in (requests[:-at], requests[-at:]):
            writer.write(piece)
            await asyncio.sleep(0.02)
        answers = (await reader.read()).split(b"HTTP/1.1 200 OK")[1:]
        writer.close()
    assert [one[-2:] for one in answers] == [b"/1", b"/1", b"/2", b"/3"]


@pytest.mark.parametrize(
    ("framing", "before"),
    [(b"Content-Length: %d\r\n\r\n" % len(GET), b""), (b"Transfer-Encoding: chunked\r\n\r\n", b"1c\r\n")],
)
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_the_body_of_a_request_to_upgrade_is_never_a_request(
    framing: bytes, before: bytes, protocol: bytes
) -> None:
    async with served(its_path) as (_, address), asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(UPGRADING.replace(b"h2c", protocol) + framing)
        await asyncio.sleep(0.02)
        writer.write(before + GET)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
