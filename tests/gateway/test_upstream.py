"""The resource's side as RFC 9112 has it: framing, kept connections, time, and bytes that are no answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.request_body import BodyTooLong
from gateway.upstream import Answer, TimedOut, Unreachable, Upstream, UpstreamFault
from gateway.upstream_answer import MAX_HEAD_BYTES, AnswerReader

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 5\r\n\r\nwhole"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def resource(serve: Serve, **changes: Any) -> AsyncIterator[Upstream]:
    """Serve a resource that does to each connection what `serve` does, and give the client of it."""
    alive = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive.add(asyncio.current_task())  # the loop has a weak reference alone
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = {"max_connections": 2, "connect_timeout_seconds": 5.0, "read_timeout_seconds": 5.0} | changes
    async with Upstream(f"http://127.0.0.1:{port}", **limits) as upstream:
        yield upstream
    server.close()


def answering(*answers: bytes, requests: list[bytes] | None = None) -> Serve:
    """Return what reads a head and gives the next answer, and closes the connection after the last one."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            head = await reader.readuntil(b"\r\n\r\n")
            if requests is not None:
                requests.append(head)
            writer.write(left.pop(0))
            await writer.drain()

    return serve


async def content(answer: Answer) -> bytes:
    return b"".join([piece async for piece in answer.content])


async def got(upstream: Upstream, method: str = "GET") -> tuple[int, bytes]:
    async with upstream.answer(method, "/") as answer:
        return answer.status, await content(answer)


REFUSED: dict[str, bytes] = {
    "CL.TE": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.CL": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "TE.TE": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a coding that is not chunked": OK + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "a coding that is chunked to some": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a length twice": OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a list of lengths": OK + b"Content-Length: 1, 1\r\n\r\nx",
    "a length with a sign": OK + b"Content-Length: +1\r\n\r\nx",
    "no length: its end is the connection's": OK + b"\r\nit could go on",
    "a folded line": OK + b"A: b\r\n c\r\nContent-Length: 1\r\n\r\nx",
    "a bare CR": OK + b"A: b\rContent-Length: 0\r\nContent-Length: 1\r\n\r\nx",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
    "a NUL": OK + b"A: b\x00c\r\nContent-Length: 1\r\n\r\nx",
    "a space before the colon": OK + b"Content-Length : 1\r\n\r\nx",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    "a status below all": b"HTTP/1.1 099 Low\r\nContent-Length: 1\r\n\r\nx",
    "a status above all": b"HTTP/1.1 600 High\r\nContent-Length: 1\r\n\r\nx",
    "an upgrade that nobody asked for": b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    + WHOLE,
    "a content of an interim answer": b"HTTP/1.1 150 M\r\nContent-Length: 4\r\n\r\nevil" + WHOLE,
    "an answer within an interim one": b"HTTP/1.1 150 M\r\nContent-Length: %d\r\n\r\n" % len(WHOLE)
    + WHOLE.replace(b"whole", b"first")
    + WHOLE,
    "chunks of an interim answer": b"HTTP/1.1 150 M\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"4\r\nevil\r\n0\r\n\r\n"
    + WHOLE,
    "a head that is too long and comes at once": OK + b"A: " + b"x" * MAX_HEAD_BYTES + WHOLE[len(OK) - 2 :],
    "an endless field": OK + b"A: " + b"x" * (MAX_HEAD_BYTES + 300_000),
    "endless interim answers": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 20_000,
    "endless trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 20_000,
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED.keys())
def test_an_answer_that_two_readers_could_end_at_different_places_is_none(sent: bytes) -> None:
    async def run() -> None:
        async with resource(answering(sent, WHOLE)) as upstream:
            with pytest.raises(UpstreamFault):
                await got(upstream)
            assert await got(upstream) == (200, b"whole"), "its connection must not be used again"

    asyncio.run(run())


TAKEN: dict[str, tuple[str, bytes, tuple[int, bytes]]] = {
    "by length": ("GET", WHOLE, (200, b"whole")),
    "in chunks, with trailers": (
        "GET",
        OK + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nwh\r\n3;a=b\r\nole\r\n0\r\nX-T: 9\r\n\r\n",
        (200, b"whole"),
    ),
    "after interim answers": (
        "POST",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: <a>\r\n\r\n" + WHOLE,
        (200, b"whole"),
    ),
    "204 with a length": ("GET", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", (204, b"")),
    "304 with the length of what it is about": (
        "GET",
        b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
        (304, b""),
    ),
    "304 with nothing": ("GET", b"HTTP/1.1 304 N\r\n\r\n", (304, b"")),
    "to HEAD": ("HEAD", OK + b"Content-Length: 5\r\n\r\n", (200, b"")),
    "to HEAD, chunked": ("HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n", (200, b"")),
    "of HTTP/1.0": ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole", (200, b"whole")),
}


@pytest.mark.parametrize(("method", "sent", "read"), TAKEN.values(), ids=TAKEN.keys())
def test_an_answer_ends_where_rfc_9112_says(method: str, sent: bytes, read: tuple[int, bytes]) -> None:
    async def run() -> None:
        async with resource(answering(sent, WHOLE)) as upstream:
            assert await got(upstream, method) == read
            assert await got(upstream) == (200, b"whole"), "the next answer is the next one's"

    asyncio.run(run())


SURPLUS: dict[str, bytes] = {
    "another answer": OK + b"Content-Length: 4\r\n\r\nevil",
    "no HTTP": b"evil",
    "the begin of one": b"HTTP/1.1 200 OK\r\n",
}


@pytest.mark.parametrize("surplus", SURPLUS.values(), ids=SURPLUS.keys())
@pytest.mark.parametrize("when", ["with it", "after it"])
def test_what_follows_on_an_answer_is_not_the_next_callers(surplus: bytes, when: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WHOLE + surplus if when == "with it" else WHOLE)
        await writer.drain()
        writer.write(b"" if when == "with it" else surplus)
        await reader.read()

    async def run() -> None:
        async with resource(serve) as upstream:
            for _ in range(3):
                assert await got(upstream) == (200, b"whole")
                await asyncio.sleep(0.02)  # let what follows arrive between two calls, as it may

    asyncio.run(run())


def test_a_connection_is_kept_and_closed_when_the_resource_says_so() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for last in (False, False, True):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(WHOLE.replace(OK, OK + b"Connection: close\r\n") if last else WHOLE)
        await reader.read()

    async def run() -> None:
        async with resource(serve) as upstream:
            for _ in range(6):
                assert await got(upstream) == (200, b"whole")

    asyncio.run(run())
    assert connections == 2


@pytest.mark.parametrize(("method", "calls"), [("GET", 3), ("POST", 2), ("DELETE", 2)])
def test_only_a_get_is_made_again_when_a_kept_connection_breaks_before_its_answer(
    method: str, calls: int
) -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(1 if len(requests) != 1 else 0):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(WHOLE)
        requests.append(await reader.readuntil(b"\r\n\r\n"))  # and closes

    async def run() -> None:
        async with resource(serve) as upstream:
            assert await got(upstream) == (200, b"whole")
            if method == "GET":
                assert await got(upstream) == (200, b"whole")
            else:
                with pytest.raises(UpstreamFault):
                    await got(upstream, method)

    asyncio.run(run())
    assert len(requests) == calls


def test_a_new_connection_that_breaks_is_no_reason_to_call_again() -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))

    async def run() -> None:
        async with resource(serve) as upstream:
            with pytest.raises(UpstreamFault):
                await got(upstream)

    asyncio.run(run())
    assert len(requests) == 1


def test_a_call_that_timed_out_is_not_made_again() -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(WHOLE)
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read()

    async def run() -> None:
        async with resource(serve, read_timeout_seconds=0.2) as upstream:
            assert await got(upstream) == (200, b"whole")
            with pytest.raises(TimedOut):
                await got(upstream)

    asyncio.run(run())
    assert len(requests) == 2


@pytest.mark.parametrize("drip", [b"A: b\r\n", b"HTTP/1.1 103 E\r\n\r\n"], ids=["field", "interim answer"])
def test_a_head_that_drips_does_not_put_its_time_off(drip: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK if drip.startswith(b"A") else b"")
        while True:
            writer.write(drip)
            await writer.drain()
            await asyncio.sleep(0.02)

    async def run() -> None:
        async with resource(serve, read_timeout_seconds=0.3) as upstream, asyncio.timeout(5):
            with pytest.raises(TimedOut):
                await got(upstream)

    asyncio.run(run())


def test_more_calls_than_connections_wait_in_line_and_not_for_ever() -> None:
    open_now = most = 0
    let_go = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await let_go.wait()
                writer.write(WHOLE)
        finally:
            open_now -= 1

    async def run() -> None:
        async with resource(serve, connect_timeout_seconds=0.3) as upstream:
            calls = [asyncio.create_task(got(upstream)) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Unreachable):
                await got(upstream)
            waiting = [asyncio.create_task(got(upstream)) for _ in range(10)]
            await asyncio.sleep(0)
            let_go.set()
            assert await asyncio.gather(*calls, *waiting) == [(200, b"whole")] * 12

    asyncio.run(run())
    assert most == 2


def test_a_caller_that_leaves_the_line_takes_no_place_with_it() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        async with resource(serve, max_connections=1, read_timeout_seconds=0.3) as upstream:
            for _ in range(3):
                first, second = asyncio.create_task(got(upstream)), asyncio.create_task(got(upstream))
                await asyncio.sleep(0.02)
                for call in (second, first):
                    call.cancel()
                await asyncio.wait((first, second))
            with pytest.raises(TimedOut):  # connected, and not: no place in time
                await got(upstream)

    asyncio.run(run())


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize(
    ("headers", "sent"),
    [([], b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), ([("content-length", "3")], b"abc")],
    ids=["chunked", "by length"],
)
def test_a_body_is_framed_as_its_head_says(headers: list[tuple[str, str]], sent: bytes) -> None:
    arrived = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        head = await reader.readuntil(b"\r\n\r\n")
        assert (b"transfer-encoding: chunked\r\n" in head) == (not headers)
        arrived = await reader.readexactly(len(sent))
        writer.write(WHOLE)

    async def run() -> None:
        body = _pieces(b"ab", b"c")
        async with resource(serve) as upstream, upstream.answer("POST", "/", "", headers, body) as answer:
            assert await content(answer) == b"whole"

    asyncio.run(run())
    assert arrived == sent


def test_a_caller_that_is_slow_with_its_body_is_not_a_resource_that_is_silent() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(WHOLE)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(2):
            await asyncio.sleep(0.7)
            yield b"piece"

    async def run() -> None:
        quick = resource(serve, read_timeout_seconds=0.3)
        async with quick as upstream, upstream.answer("POST", "/", body=slow()) as answer:
            assert await content(answer) == b"whole"

    asyncio.run(run())


def test_a_body_that_is_refused_at_once_is_not_announced_to_the_resource() -> None:
    arrived: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.read())

    async def refused() -> AsyncIterator[bytes]:
        for piece in (b"", b"never"):
            if not piece:
                raise BodyTooLong
            yield piece

    async def run() -> None:
        async with resource(serve) as upstream:
            with pytest.raises(BodyTooLong):
                async with upstream.answer("POST", "/", body=refused()):
                    pass

    asyncio.run(run())
    assert b"".join(arrived) == b""


def test_an_early_answer_ends_the_body_and_the_connection() -> None:
    ends: list[bytes] = []
    both_ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(WHOLE)
        try:
            ends.append(await reader.read())
        except ConnectionError:
            ends.append(b"")
        if len(ends) == 2:
            both_ended.set()

    async def endless() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def run() -> None:
        async with resource(serve) as upstream:
            async with upstream.answer("POST", "/", body=endless()) as answer:
                assert await content(answer) == b"whole"
            async with upstream.answer("POST", "/", body=endless()) as answer:
                assert await content(answer) == b"whole"
            await asyncio.wait_for(both_ended.wait(), 5)

    asyncio.run(run())
    assert not any(end.endswith(b"0\r\n\r\n") for end in ends), "it must never look complete"


def test_a_body_that_the_resource_does_not_take_is_not_read_from_its_sender() -> None:
    taken = 0
    piece = b"x" * 65_536

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def counted() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 10_000:
            taken += 1
            yield piece

    async def run() -> None:
        async with resource(serve, read_timeout_seconds=0.5) as upstream:
            with pytest.raises(TimedOut):
                async with upstream.answer("POST", "/", body=counted()):
                    pass

    asyncio.run(run())
    assert taken * len(piece) < 64 * 1024 * 1024


def test_an_answer_that_nobody_takes_is_not_read_from_the_resource() -> None:
    sent = 0
    piece = b"x" * 65_536

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % (len(piece) * 10_000))
        while sent < 10_000:
            writer.write(piece)
            await writer.drain()
            sent += 1

    async def run() -> None:
        async with resource(serve) as upstream, upstream.answer("GET", "/") as answer:
            await asyncio.sleep(0.5)
            held = sent
            assert held * len(piece) < 64 * 1024 * 1024
            assert [await anext(answer.content) for _ in range(20)]
            assert answer.status == 200

    asyncio.run(run())


def test_a_line_break_in_a_field_or_an_address_is_never_sent() -> None:
    upstream = Upstream(
        "http://127.0.0.1:9", max_connections=1, connect_timeout_seconds=1, read_timeout_seconds=1
    )
    for headers in ([("a", "b\r\nc: d")], [("a", "b\nc: d")], [("a\r\nb", "c")]):
        with pytest.raises(ValueError, match="line break"):
            upstream.answer("GET", "/", "", headers)
    with pytest.raises(ValueError, match="line break"):
        upstream.answer("GET", "/ HTTP/1.1\r\nevil: 1", "")


names = st.from_regex(rb"[a-z][a-z-]{0,10}", fullmatch=True).filter(
    lambda name: name not in {b"content-length", b"transfer-encoding", b"connection", b"upgrade"}
)
values = st.from_regex(rb"[!-~]{0,20}", fullmatch=True)
statuses = st.integers(200, 599).filter(lambda status: status not in {204, 304})


def read(data: bytes, cuts: list[int]) -> tuple[object, ...]:
    """Read one answer that arrives in these pieces; what comes of it, or that it is none."""
    reader = AnswerReader()
    reader.begin("GET")
    found = b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        if start == end or reader.complete:
            continue
        try:
            reader.feed(data[start:end])
        except UpstreamFault:
            return ("none",)
        found += b"".join(reader.pieces)
        reader.pieces = []
    return reader.status, reader.headers, found, reader.complete


@given(
    status=statuses,
    fields=st.lists(st.tuples(names, values), max_size=5),
    body=st.binary(max_size=300),
    chunks=st.none() | st.lists(st.integers(1, 50), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
)
def test_a_whole_answer_is_read_exactly_however_it_is_cut(
    status: int, fields: list[tuple[bytes, bytes]], body: bytes, chunks: list[int] | None, cuts: list[int]
) -> None:
    framing = (b"content-length", b"%d" % len(body)) if chunks is None else (b"transfer-encoding", b"chunked")
    sent = body
    if chunks is not None:
        size = max(chunks)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = [*fields, framing]
    head = b"HTTP/1.1 %d X\r\n" % status + b"".join(b"%b: %b\r\n" % field for field in headers) + b"\r\n"
    assert read(head + sent, cuts) == (status, headers, body, True)


@given(
    data=st.lists(
        st.sampled_from(
            [
                *(
                    OK,
                    b"HTTP/1.1 100 C\r\n",
                    b"HTTP/1.0 204 N\r\n",
                    b"\r\n",
                    b"\r",
                    b"\n",
                    b" ",
                    b"\x00",
                    b"0",
                ),
                *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"A: b\r\n", b"abc", b"3\r\n"),
                *(b"0\r\n\r\n", b"Connection: close\r\n", b"Content-Length: 99999999999999999999\r\n"),
            ]
        )
        | st.binary(max_size=20),
        max_size=12,
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 500), max_size=5),
)
def test_any_bytes_are_an_answer_or_none_and_the_same_however_they_are_cut(
    data: bytes, cuts: list[int]
) -> None:
    at_once, in_pieces = read(data, []), read(data, cuts)
    # A fault after a head takes the head back only if both came together: then nothing was passed on yet.
    if "none" not in (at_once[0], in_pieces[0]):
        assert at_once == in_pieces
    elif at_once == ("none",) and in_pieces != ("none",):
        assert in_pieces[-1] is True, "it was whole before what is no answer came"
