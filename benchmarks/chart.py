"""A report as a picture: a panel for each section, requests a second; in SVG, with nothing but text."""

import math
from collections.abc import Iterator
from html import escape
from typing import Final

from benchmarks.section import Report, Section, rate

_WIDTH: Final = 860
_LEFT: Final = 300
"""Where bars and curves begin; before that are names."""
_RIGHT: Final = 90
_BAR: Final = 26
_CURVE: Final = 170
_HEAD: Final = 44
_COLOURS: Final = ("#0b6e4f", "#8d99ae", "#5b7db1", "#2f4b7c", "#d1495b", "#b8b8b8")

Point = tuple[float, float]


def chart(report: Report) -> str:
    """Return the picture."""
    panels = [panel for section in report.sections for panel in _panels(section)]
    height, parts = 12, []
    for tall, inside in panels:
        parts.append(f'<g transform="translate(0 {height})">{inside}</g>')
        height += tall
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="13" role="img" aria-label="Requests a second">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _panels(section: Section) -> Iterator[tuple[int, str]]:
    """Yield height and content: one for each case of a comparison, one for a curve."""
    if section.shape == "curve":
        yield _HEAD + _CURVE + 30, _title(section.title) + _curves(section)
        return
    for case in section.cases():
        rows = [
            (name, value)
            for name in section.contenders()
            if name != section.without and (value := section.median(name, case, rate)) is not None
        ]
        yield _HEAD + _BAR * len(rows) + 14, _title(f"{section.title}, {case}") + _bars(rows)


def _title(text: str) -> str:
    return _text(12, 24, f"{text}: requests/s", "start", 'font-weight="bold"')


def _bars(rows: list[tuple[str, float]]) -> str:
    most = max((value for _, value in rows), default=1.0)
    found = []
    for number, (name, value) in enumerate(rows):
        top = _HEAD + number * _BAR
        width = value / most * (_WIDTH - _LEFT - _RIGHT)
        found.append(_text(_LEFT - 8, top + 15, name, "end"))
        found.append(
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR - 6}" '
            f'fill="{_COLOURS[number % len(_COLOURS)]}"/>'
        )
        found.append(_text(_LEFT + width + 6, top + 15, f"{value:,.0f}", "start"))
    return "".join(found)


def _curves(section: Section) -> str:
    """Draw a line for each contender; the scale up is logarithmic, from the lowest value to the highest."""
    cases, found = section.cases(), []
    every = [value for name in section.contenders() for value in _values(section, name) if value]
    low, high = (math.log(edge(every, default=1.0)) for edge in (min, max))
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(cases) - 1)

    def point(number: int, value: float) -> Point:
        share = (math.log(value) - low) / (high - low) if high > low else 1.0
        return _LEFT + number * step, _HEAD + _CURVE - 20 - share * (_CURVE - 40)

    for number, case in enumerate(cases):
        found.append(_text(_LEFT + number * step, _HEAD + _CURVE + 6, case, "middle", 'fill="#555"'))
    for number, name in enumerate(section.contenders()):
        colour = _COLOURS[number % len(_COLOURS)]
        values = [(at, value) for at, value in enumerate(_values(section, name)) if value]
        line = " ".join("{:.1f},{:.1f}".format(*point(at, value)) for at, value in values)
        found.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for at, value in values:
            x, y = point(at, value)
            found.append(_text(x, y - 5, f"{value:,.0f}", "middle", f'fill="{colour}" font-size="11"'))
        found.append(_text(_LEFT - 60, _HEAD + 20 + number * 20, name, "end", f'fill="{colour}"'))
    return "".join(found)


def _values(section: Section, contender: str) -> list[float | None]:
    return [section.median(contender, case, rate) for case in section.cases()]


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'
