"""The benchmarks still work: contenders of Python start and refuse what they must, and reports come out.

What comes from elsewhere (Envoy, Node.js, nginx, wrk) is not needed here, and nothing is timed.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks import gateways
from benchmarks.chain import measure_chain
from benchmarks.chart import chart
from benchmarks.contenders import our_auth_server, our_gateway, usual_exchange, usual_gateway
from benchmarks.contenders.envoy import WITH_ACCESS_LOG, configuration
from benchmarks.contenders.usual_stack import usual_stack
from benchmarks.cores import CONTENDER
from benchmarks.exchange_contender import AuthorizationServer, ExchangePlace, Exchanges, exchanges
from benchmarks.exchange_refusals import wrongly_answered
from benchmarks.gateway_contender import Gateway, Place, Running, operations
from benchmarks.gateway_refusals import bad_calls, wrongly_passed
from benchmarks.goals import goals
from benchmarks.issuer import Issuer
from benchmarks.load import Sample
from benchmarks.markdown import markdown
from benchmarks.rounds import Measured
from benchmarks.section import Report, Section
from tests.serving import serve


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer().serving() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def upstream_port() -> Iterator[int]:
    """A resource that answers every request."""

    async def answer(_request: Request) -> Response:
        return JSONResponse({})

    methods = ["GET", "POST", "DELETE"]
    with serve(Starlette(routes=[Route("/{path:path}", answer, methods=methods)])) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture(scope="module")
def customers() -> Iterator[Exchanges]:
    with exchanges(["first@example.com", "second@example.com"]) as made:
        yield made


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not so at once will not be: for gateways that are known to be wrong."""
    monkeypatch.setattr("benchmarks.gateway_refusals._PATIENCE_SECONDS", 0)


@pytest.mark.parametrize("gateway", [our_gateway.OURS, usual_gateway.USUAL], ids=lambda one: one.name)
def test_a_gateway_refuses_what_it_must_before_it_is_timed(
    gateway: Gateway, issuer: Issuer, upstream_port: int, tmp_path: Path
) -> None:
    place = Place(issuer.issuer, issuer.url, upstream_port, tmp_path, operations(), CONTENDER)
    with gateway.start(place) as running:
        assert wrongly_passed(gateway, running, issuer) == []


def test_a_gateway_that_lets_everything_pass_is_told_each_of_it(
    issuer: Issuer, upstream_port: int, no_patience: None
) -> None:
    passed = wrongly_passed(our_gateway.OURS, Running(upstream_port, 0), issuer)
    expected = {what for what, *_ in bad_calls(issuer, "/", issuer.delegation_token(""))}
    expected |= {"what the condition forbids", "a token that has ended"}
    assert {fault.rpartition(":")[0] for fault in passed} == expected


def test_a_gateway_that_refuses_everything_is_not_timed(issuer: Issuer, no_patience: None) -> None:
    with serve(Starlette()) as url:
        [fault] = wrongly_passed(usual(), Running(int(url.rpartition(":")[2]), 0), issuer)
    assert fault == "a good call: 404"


def usual() -> Gateway:
    return replace(usual_gateway.USUAL, has_conditions=False)


@pytest.mark.parametrize(
    "server", [our_auth_server.ON_SQLITE, usual_exchange.USUAL], ids=lambda one: one.name
)
def test_an_exchange_refuses_what_it_must_before_it_is_timed(
    server: AuthorizationServer, customers: Exchanges, tmp_path: Path
) -> None:
    with server.start(ExchangePlace(customers, tmp_path, CONTENDER)) as running:
        assert wrongly_answered(running, customers) == []


def test_an_exchange_that_refuses_nothing_is_told_each_of_it(customers: Exchanges) -> None:
    async def answer(_request: Request) -> Response:
        return JSONResponse({"access_token": customers.issuer.delegation_token("account:read_balance")})

    with serve(Starlette(routes=[Route("/token", answer, methods=["POST"])])) as url:
        faults = wrongly_answered(Running(int(url.rpartition(":")[2]), 0), customers)
    assert faults[0].startswith("a good exchange: sub wrong")
    assert set(customers.bad) < {fault.rpartition(":")[0] for fault in faults}
    assert "an assertion that was used: 200" in faults


def test_the_whole_way_of_a_call_is_measured(tmp_path: Path) -> None:
    with usual_stack(tmp_path) as stack:
        sample = measure_chain(stack, 0.1)
    assert sample.requests > 0
    assert sample.errors == 0


def test_envoy_is_told_every_operation_of_the_policy(tmp_path: Path) -> None:
    policy = operations(10)
    place = Place("https://issuer.example", "http://127.0.0.1:1", 2, tmp_path, policy, CONTENDER)
    text = json.dumps(configuration(place, 3, cache=True, access_log=True))
    assert all(f'"{name}"' in text for name in policy)
    assert r"/accounts/[^/]+/balance" in text
    assert "https://issuer.example" in text
    assert '"jwt_cache_config"' in text


def made_up(requests_per_second: float, p50_ms: float) -> Sample:
    return Sample(1000, requests_per_second, p50_ms, p50_ms * 3, 100.0, 0)


def a_report() -> Report:
    figures = {
        our_gateway.OURS.name: [(12_000, 0.3), (10_000, 0.3), (11_000, 0.3)],
        WITH_ACCESS_LOG.name: [(10_000, 0.2), (10_000, 0.2), (10_000, 0.2)],
        gateways.NO_GATEWAY: [(50_000, 0.1), (50_000, 0.1), (50_000, 0.1)],
    }
    measured = [
        Measured(name, case, made_up(*values))
        for case in ("16 connections", "1 connection")
        for name, rounds in figures.items()
        for values in rounds
    ]
    comparison = Section(
        "gateways", "Gateways", "…", "comparison", (WITH_ACCESS_LOG.name,), measured, gateways.NO_GATEWAY
    )
    curve = replace(comparison, name="live-tokens", title="Tokens", shape="curve", baselines=())
    not_timed = {"a <careless> gateway": ["no token: 200"]}
    return Report("2026-01-02", "abc", {"processor": "a"}, {"Python": "3"}, 3, [comparison, curve], not_timed)


def test_the_report_has_medians_ratios_spread_and_who_was_not_timed() -> None:
    page = markdown(a_report(), "chart.svg")
    assert (
        f"| {our_gateway.OURS.name} | 11,000 (10,000–12,000) | 1.10 | 0.30 | 0.90 | 100 | 0.20 | 0 |" in page
    )
    assert "- a <careless> gateway: no token: 200" in page
    assert "![Requests a second](chart.svg)" in page
    assert json.loads(json.dumps(asdict(a_report())))["sections"][0]["measured"]


def test_goals_are_judged_by_the_figures() -> None:
    assert [(round(goal.measured, 2), goal.reached) for goal in goals(a_report())] == [
        (1.1, True),
        (1.5, False),
        (0.2, True),
    ]


def test_the_chart_is_a_picture_with_every_section() -> None:
    picture = ElementTree.fromstring(chart(a_report()))
    texts = "".join(picture.itertext())
    assert "Gateways, 16 connections" in texts
    assert "Tokens" in texts
    assert "11,000" in texts
