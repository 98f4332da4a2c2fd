"""A report in Markdown."""

from collections.abc import Iterator
from typing import Final

from benchmarks.goals import Goal, goals
from benchmarks.section import Figure, Report, Section, p50, p99, rate

_FIGURES: Final[tuple[tuple[str, Figure, str], ...]] = (
    ("p50 ms", p50, "{:.2f}"),
    ("p99 ms", p99, "{:.2f}"),
    ("CPU µs a request", lambda sample: sample.cpu_us, "{:.0f}"),
)


def markdown(report: Report, chart: str) -> str:
    """Return the page; `chart` is the name of the picture beside it."""
    return "\n".join(_lines(report, chart)) + "\n"


def _lines(report: Report, chart: str) -> Iterator[str]:
    yield f"# Benchmarks of {report.date}"
    yield ""
    yield f"Commit {report.commit}. Interleaved rounds: {report.rounds}. Figures are their medians,"
    yield "in brackets the lowest and the highest. The machine is noisy: compare within this page only."
    yield "[How to read it](../README.md)."
    yield ""
    yield f"![Requests a second]({chart})"
    yield ""
    for title, facts in (("machine", report.machine), ("version", report.versions)):
        yield from _table([title, ""], [[name, value] for name, value in facts.items()])
    judged = [[goal.wanted, f"{goal.measured:.2f}", _verdict(goal)] for goal in goals(report)]
    if judged:
        yield from _table(["goal", "measured", "reached"], judged)
    if report.not_timed:
        yield "Not timed, because they do not refuse what they must:"
        yield ""
        yield from (f"- {name}: {', '.join(passed)}" for name, passed in report.not_timed.items())
        yield ""
    for section in report.sections:
        yield f"## {section.title}"
        yield ""
        yield section.about
        yield ""
        yield from _comparison(section) if section.shape == "comparison" else _curve(section)


def _comparison(section: Section) -> Iterator[str]:
    for case in section.cases():
        alone = section.median(section.without, case, p50)
        head = [case, "requests/s", *(f"to {name}" for name in section.baselines)]
        head += [name for name, _, _ in _FIGURES]
        head += ["added ms", "errors"] if alone is not None else ["errors"]
        rows = []
        for contender in section.contenders():
            row = [contender, _spread(section, contender, case)]
            row += [_ratio(section, contender, case, name) for name in section.baselines]
            row += [_shown(section.median(contender, case, of), how) for _, of, how in _FIGURES]
            if alone is not None:
                own = section.median(contender, case, p50)
                row.append(_shown(None if own is None else own - alone, "{:.2f}"))
            row.append(str(sum(sample.errors for sample in section.samples(contender, case))))
            rows.append(row)
        yield from _table(head, rows)


def _curve(section: Section) -> Iterator[str]:
    for title, of, how in (("requests/s", rate, "{:,.0f}"), _FIGURES[1], _FIGURES[2]):
        rows = [
            [contender, *(_shown(section.median(contender, case, of), how) for case in section.cases())]
            for contender in section.contenders()
        ]
        yield from _table([title, *section.cases()], rows)


def _verdict(goal: Goal) -> str:
    return "yes" if goal.reached else "**no**"


def _spread(section: Section, contender: str, case: str) -> str:
    rates = [rate(sample) for sample in section.samples(contender, case)]
    if not rates:
        return ""
    return f"{_shown(section.median(contender, case, rate), '{:,.0f}')} ({min(rates):,.0f}–{max(rates):,.0f})"


def _ratio(section: Section, contender: str, case: str, baseline: str) -> str:
    try:
        return f"{section.ratio(contender, baseline, case, rate):.2f}"
    except LookupError:
        return ""


def _shown(value: float | None, how: str) -> str:
    return "" if value is None else how.format(value)


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
