"""What was found, as it is kept in JSON and shown in Markdown and as a chart."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.load import Sample
from benchmarks.rounds import Measured

Figure = Callable[[Sample], float]


@dataclass(frozen=True)
class Section:
    """One comparison (a table for each case) or one curve (a column for each case)."""

    name: str
    title: str
    about: str
    shape: Literal["comparison", "curve"]
    baselines: tuple[str, ...]
    """The contenders that ratios are to."""
    measured: list[Measured]
    without: str = ""
    """What is measured to be taken away: the resource without a gateway."""

    def contenders(self) -> list[str]:
        """Return the contenders in the order in which they were measured."""
        return list(dict.fromkeys(one.contender for one in self.measured))

    def cases(self) -> list[str]:
        """Return the cases in the same order."""
        return list(dict.fromkeys(one.case for one in self.measured))

    def samples(self, contender: str, case: str) -> list[Sample]:
        """Return what was measured of a contender in a case; one sample for each round."""
        return [one.sample for one in self.measured if (one.contender, one.case) == (contender, case)]

    def median(self, contender: str, case: str, figure: Figure) -> float | None:
        """Return the median of a figure over the rounds; None where nothing was measured."""
        found = [figure(sample) for sample in self.samples(contender, case)]
        return statistics.median(found) if found else None

    def must(self, contender: str, case: str, figure: Figure) -> float:
        """Return the same.

        Raises:
            LookupError: nothing was measured.
        """
        found = self.median(contender, case, figure)
        if found is None:
            raise LookupError(f"{contender} was not measured")
        return found

    def ratio(self, contender: str, other: str, case: str, figure: Figure) -> float:
        """Return how many times the other's figure a contender's is.

        Raises:
            LookupError: one of them was not measured.
        """
        return self.must(contender, case, figure) / self.must(other, case, figure)


@dataclass(frozen=True)
class Report:
    """All that one run has found."""

    date: str
    commit: str
    machine: dict[str, str]
    versions: dict[str, str]
    rounds: int
    sections: list[Section]
    not_timed: dict[str, list[str]]
    """Contenders that did not refuse what they must, with what they let pass."""


def p50(sample: Sample) -> float:
    """Return the median latency in milliseconds."""
    return sample.p50_ms


def p99(sample: Sample) -> float:
    """Return the 99th percentile of the latency in milliseconds."""
    return sample.p99_ms


def rate(sample: Sample) -> float:
    """Return requests a second."""
    return sample.requests_per_second
