"""What was to be reached, and what was: as far as a report has the figures for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.contenders.envoy import WITH_ACCESS_LOG
from benchmarks.contenders.oidc_provider import OIDC_PROVIDER
from benchmarks.contenders.our_auth_server import ON_POSTGRESQL, ON_SQLITE
from benchmarks.contenders.our_gateway import OURS
from benchmarks.end_to_end import CASE, OUR_STACK, USUAL_STACK
from benchmarks.gateways import NO_GATEWAY
from benchmarks.section import Report, Section, p50, p99, rate

_SIXTEEN: Final = "16 connections"
_ONE: Final = "1 connection"


@dataclass(frozen=True)
class Goal:
    """What is wanted, the figure that says how far it is reached, and the one that it must not miss."""

    wanted: str
    measured: float
    least: float = -float("inf")
    most: float = float("inf")

    @property
    def reached(self) -> bool:
        """Tell whether the figure is good enough."""
        return self.least <= self.measured <= self.most


def goals(report: Report) -> Iterator[Goal]:
    """Yield the goals about which there are figures."""
    of = {"gateways": _gateways, "exchange": _exchange, "end-to-end": _end_to_end}
    for section in report.sections:
        if section.name in of:
            try:
                yield from of[section.name](section)
            except LookupError:  # a contender that was not wanted, or not timed
                continue


def _gateways(section: Section) -> Iterator[Goal]:
    ours, envoy = OURS.name, WITH_ACCESS_LOG.name
    ratio = section.ratio(ours, envoy, _SIXTEEN, rate)
    yield Goal(f"requests/s at 16 connections, to {envoy}: at least 1", ratio, least=1)
    ratio = section.ratio(ours, envoy, _SIXTEEN, p99)
    yield Goal(f"p99 at 16 connections, to {envoy}: 1 at most", ratio, most=1)
    added = section.must(ours, _ONE, p50) - section.must(NO_GATEWAY, _ONE, p50)
    yield Goal("added latency at one connection, median: under 0.5 ms", added, most=0.5)


def _exchange(section: Section) -> Iterator[Goal]:
    other = OIDC_PROVIDER.name
    ratio = section.ratio(ON_SQLITE.name, other, _SIXTEEN, rate)
    yield Goal(f"exchanges/s at 16 connections on SQLite, to {other}: at least 2", ratio, least=2)
    ratio = section.ratio(ON_SQLITE.name, other, _SIXTEEN, p99)
    yield Goal(f"p99 at 16 connections on SQLite, to {other}: 1 at most", ratio, most=1)
    ratio = section.ratio(ON_POSTGRESQL.name, ON_SQLITE.name, _SIXTEEN, rate)
    yield Goal("exchanges/s at 16 connections, PostgreSQL to SQLite: at least 0.8", ratio, least=0.8)


def _end_to_end(section: Section) -> Iterator[Goal]:
    ratio = section.ratio(OUR_STACK, USUAL_STACK, CASE, p50)
    yield Goal("exchange + gateway + API, median, to the usual stack: under 0.5", ratio, most=0.5)
