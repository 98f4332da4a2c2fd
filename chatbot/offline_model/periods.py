"""Periods in a sentence: "last month", "since March", "between 1 and 15 March", "the past 30 days"."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from chatbot.offline_model import dates
from chatbot.offline_model.dates import POINT
from chatbot.offline_model.numbers import IN_WORDS, read_words
from chatbot.offline_model.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Period:
    """First and last day, both included; None leaves that side open."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class FoundPeriod:
    """A period, or None, and the sentence without the words that named it."""

    period: Period | None
    rest: Sentence


def find_period(sentence: Sentence, today: date) -> FoundPeriod:
    """Take the period out of a sentence. What ends after today is read as still going on."""
    for pattern, meaning in _FORMS:
        for match in pattern.finditer(sentence.text):
            period = meaning(match, today)
            if period is not None:
                open_end = period.end is not None and period.end >= today and period.start != today
                found = Period(period.start, None) if open_end else period
                return FoundPeriod(found, sentence.without(*match.span()))
    return FoundPeriod(None, sentence)


def _between(match: re.Match[str], today: date) -> Period | None:
    start, end = dates.resolve(match["start"], today), dates.resolve(match["end"], today)
    if start is None or end is None:
        return None
    first, last = start[0], end[1]
    if first > last:  # "from November to January": the start lies in the year before
        try:
            first = first.replace(year=last.year - 1)
        except ValueError:
            return None
    return Period(first, last) if first <= last else None


def _days_between(match: re.Match[str], today: date) -> Period | None:
    start = dates.resolve(f"{match['start']} {match['month']}", today)
    end = dates.resolve(f"{match['end']} {match['month']}", today)
    return Period(start[0], end[1]) if start and end and start[0] <= end[1] else None


def _since(match: re.Match[str], today: date) -> Period | None:
    point = dates.resolve(match["point"], today)
    return Period(start=point[0]) if point else None


def _after(match: re.Match[str], today: date) -> Period | None:
    point = dates.resolve(match["point"], today)
    return Period(start=point[1] + timedelta(days=1)) if point else None


def _until(match: re.Match[str], today: date) -> Period | None:
    point = dates.resolve(match["point"], today)
    return Period(end=point[1]) if point else None


def _before(match: re.Match[str], today: date) -> Period | None:
    point = dates.resolve(match["point"], today)
    return Period(end=point[0] - timedelta(days=1)) if point else None


def _past(match: re.Match[str], today: date) -> Period:
    digits, words = match["digits"], match["words"]
    number = (
        int(digits) if digits else {"couple of": 2, "few": 3}.get(words) or read_words(words) if words else 1
    )
    unit = match["unit"].removesuffix("s")
    if unit in {"day", "week"}:
        return Period(start=today - timedelta(days=number * (7 if unit == "week" else 1)))
    back = number * (12 if unit == "year" else 1)
    first, last = dates.month(today.year, today.month - back)
    return Period(start=min(first.replace(day=min(today.day, last.day)), last))


def _at(match: re.Match[str], today: date) -> Period | None:
    if _AMBIGUOUS.match(match["point"]) and match["lead"] is None and match["aside"] is None:
        return None
    point = dates.resolve(match["point"], today)
    return Period(*point) if point else None


_AMBIGUOUS: Final = re.compile(r"(?:[a-z]{3}|sept|march)\Z")
"""Names of a month or weekday that are also names of people, or words: they need "in", "on" or the like."""
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], Period | None]], ...]] = tuple(
    (re.compile(pattern + r"(?![\w'])"), meaning)
    for pattern, meaning in (
        (
            r"\b(?:between|from) (?:the )?(?P<start>\d{1,2})(?: (?:st|nd|rd|th))? (?:and|to|until|till|-)"
            r" (?:the )?(?P<end>\d{1,2})(?: (?:st|nd|rd|th))? (?:of )?(?P<month>[a-z]{3,9})",
            _days_between,
        ),
        (
            rf"\b(?:between |from )?(?P<start>{POINT}) (?:and|to|until|till|through|-) (?P<end>{POINT})",
            _between,
        ),
        (
            r"\b(?:since|starting(?: from| in| on)?|as of) (?:the )?(?:start of |beginning of )?"
            rf"(?P<point>{POINT})",
            _since,
        ),
        (rf"\bfrom (?P<point>{POINT}) (?:on|onwards|until now|until today|to date)", _since),
        (rf"\bafter (?P<point>{POINT})", _after),
        (rf"\b(?:until|till|up to) (?:the )?(?:end of )?(?P<point>{POINT})", _until),
        (rf"\bbefore (?P<point>{POINT})", _before),
        (
            r"\b(?:(?:in|over|during|within|for|from) )?(?:the )?(?:last|past|previous) "
            rf"(?:(?P<digits>\d{{1,3}})|(?P<words>(?<=past )(?=[dwmy])|{IN_WORDS}|couple of|few)) ?"
            r"(?P<unit>days?|weeks?|months?|years?)",
            _past,
        ),
        (
            r"(?<![\w'])(?:(?P<lead>in|on|during|for|of|over|at|from|last|this) "
            rf"|(?P<aside>(?<=about )|(?<=and )))?(?:the )?(?P<point>{POINT})(?! (?:i|we|you)\b)",
            _at,
        ),
    )
)
