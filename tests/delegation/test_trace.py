"""One trace id from service to service: W3C Trace Context."""

from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from delegation.trace import (
    TraceMiddleware,
    current_trace_id,
    incoming_trace_id,
    outgoing_headers,
    start_trace,
)
from tests.serving import serve

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def service() -> Iterator[httpx2.Client]:
    """Answers with the trace that it is in, as a worker thread sees it too, and what it would pass on."""

    async def show(_request: Request) -> JSONResponse:
        threads = await run_in_threadpool(current_trace_id)
        return JSONResponse([current_trace_id(), threads, outgoing_headers()["traceparent"]])

    with (
        serve(TraceMiddleware(Starlette(routes=[Route("/", show)]))) as url,
        httpx2.Client(base_url=url) as http,
    ):
        yield http


def test_the_callers_trace_is_taken_over_and_passed_on_with_a_new_span(service: httpx2.Client) -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    here, in_thread, outgoing = service.get("/", headers=headers).json()
    assert here == in_thread == TRACE
    version, trace, span, flags = outgoing.split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != SPAN
    assert len(span) == 16


def test_each_request_without_a_trace_begins_one(service: httpx2.Client) -> None:
    first, second = (service.get("/").json() for _ in range(2))
    assert first[0] == first[1]
    assert len(first[0]) == 32
    assert first[0] != second[0]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}'--{SPAN}-01",
    ],
)
def test_a_malformed_trace_is_as_none(value: str) -> None:
    assert incoming_trace_id(value) is None
    assert incoming_trace_id(None) is None


@given(st.text())
def test_no_text_but_a_trace_becomes_a_trace_id(text: str) -> None:
    assert incoming_trace_id(text) is None


def test_a_trace_that_is_begun_can_be_taken_over_elsewhere() -> None:
    trace = start_trace()
    assert incoming_trace_id(outgoing_headers()["traceparent"]) == trace.trace_id == current_trace_id()
    assert start_trace(trace.trace_id).span_id != trace.span_id
