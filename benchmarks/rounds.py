"""Interleaved rounds: every contender in turn, again and again, so that what disturbs one disturbs all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.gateway_contender import Running
from benchmarks.load import Sample, measure

Say = Callable[[str], None]
"""Tells whoever waits how far it is."""


@dataclass(frozen=True)
class Pace:
    """How much is measured: how many rounds, and how many seconds each measurement takes."""

    rounds: int
    seconds: int
    short_seconds: int
    warm_up_seconds: int
    curve_rounds: int


@dataclass
class Run:
    """One run of the benchmarks."""

    pace: Pace
    say: Say
    wanted: tuple[str, ...] = ()
    """Parts of the names of the contenders that are wanted; all, if there is none."""
    not_timed: dict[str, list[str]] = field(default_factory=dict)
    """Contenders that did not refuse what they must, with what they let pass."""

    def wants(self, contender: str) -> bool:
        """Tell whether a contender is wanted."""
        return not self.wanted or any(one.lower() in contender.lower() for one in self.wanted)

    def may_time(self, contender: str, passed: list[str]) -> bool:
        """Tell whether a contender may be timed: when nothing has passed that must be refused."""
        if passed:
            self.not_timed[contender] = passed
            self.say(f"{contender}: not timed, because of: {', '.join(passed)}")
        return not passed


FULL: Final = Pace(rounds=3, seconds=4, short_seconds=2, warm_up_seconds=2, curve_rounds=2)
QUICK: Final = Pace(rounds=1, seconds=1, short_seconds=1, warm_up_seconds=1, curve_rounds=1)


@dataclass(frozen=True)
class Case:
    """One way to load a contender: the requests of a file in turn, over so many connections, for so long."""

    name: str
    requests: Path
    connections: int
    seconds: int


@dataclass(frozen=True)
class Measured:
    """One sample, and what it is of."""

    contender: str
    case: str
    sample: Sample


def interleaved(
    contenders: Mapping[str, Running],
    warm_up: Case,
    cases: Sequence[Case],
    rounds: int,
    say: Say,
    fresh: Callable[[], None] = lambda: None,
) -> Iterator[Measured]:
    """Yield samples as they come.

    In each round `fresh` makes the requests anew, and each contender warms up before it is measured.
    """
    for number in range(1, rounds + 1):
        fresh()
        for name, running in contenders.items():
            _load(running, warm_up)
            for case in cases:
                one = Measured(name, case.name, _load(running, case))
                say(told(one, number, rounds))
                yield one


def told(one: Measured, number: int, rounds: int) -> str:
    """Return a line about a sample of this round, for whoever waits."""
    sample = one.sample
    return (
        f"{number}/{rounds}  {one.contender}, {one.case}: {sample.requests_per_second:,.0f}/s, "
        f"p99 {sample.p99_ms:.2f} ms, {sample.cpu_us:.0f} µs of the processor, {sample.errors} errors"
    )


def _load(running: Running, case: Case) -> Sample:
    return measure(
        running.port, case.requests, connections=case.connections, seconds=case.seconds, pid=running.pid
    )
