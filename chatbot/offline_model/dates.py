"""Points in time as people name them: "yesterday", "last month", "5 March", "October", "2025"."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from chatbot.offline_model.vocabulary import MONTHS, WEEKDAYS

Span = tuple[date, date]
"""First and last day, both included."""

_MONTH_FORMS: Final = {form: i for i, name in enumerate(MONTHS, 1) for form in (name, name[:3])} | {"sept": 9}
_WEEKDAY_FORMS: Final = {form: i for i, name in enumerate(WEEKDAYS) for form in (name, name[:3])}
_MONTH: Final = "(?:" + "|".join(sorted(_MONTH_FORMS, key=len, reverse=True)) + r")\b"
_WEEKDAY: Final = "(?:" + "|".join(sorted(_WEEKDAY_FORMS, key=len, reverse=True)) + r")\b"
_DAY: Final = r"(?:3[01]|[12]\d|0?[1-9])(?: ?(?:st|nd|rd|th))?\b"
_YEAR: Final = r"(?:19|20)\d\d\b"
_THIS: Final = "(?:this|the current|current)"
_LAST: Final = "(?:last|previous|the last|the previous)"


def month(year: int, number: int) -> Span:
    """Return a calendar month; `number` may lie outside 1 to 12 and then reaches into other years."""
    year, number = year + (number - 1) // 12, (number - 1) % 12 + 1
    return date(year, number, 1), date(year, number, monthrange(year, number)[1])


def _iso(m: re.Match[str], _today: date) -> Span:
    day = date.fromisoformat(m[0])
    return day, day


def _day_in_digits(m: re.Match[str], today: date) -> Span:
    day, month_number, *year = (int(part) for part in re.split(r"[/.]", m[0]))
    if not year:
        return _latest(day, month_number, today)
    full = year[0] if year[0] > 99 else 2000 + year[0]
    return _latest(day, month_number, today, full)


def _day_of_month(m: re.Match[str], today: date) -> Span:
    day = int(re.sub(r"\D", "", m["day"]))
    return _latest(day, _MONTH_FORMS[m["month"]], today, int(m["year"]) if m["year"] else None)


def _day_of_this_month(m: re.Match[str], today: date) -> Span:
    found = today.replace(day=int(m["day"]))
    if found > today:
        found = month(today.year, today.month - 1)[0].replace(day=int(m["day"]))
    return found, found


def _latest(day: int, month_number: int, today: date, year: int | None = None) -> Span:
    """Return that day, in the latest year in which it is not in the future where no year is given."""
    found = date(year or today.year, month_number, day)
    if year is None and found > today:
        found = date(today.year - 1, month_number, day)
    return found, found


def _named_month(m: re.Match[str], today: date) -> Span:
    number = _MONTH_FORMS[m["month"]]
    if m["year"]:
        return month(int(m["year"]), number)
    return month(today.year if number <= today.month else today.year - 1, number)


def _weekday(m: re.Match[str], today: date) -> Span:
    back = (today.weekday() - _WEEKDAY_FORMS[m["weekday"]]) % 7
    day = today - timedelta(days=back or (7 if m["last"] else 0))
    return day, day


def _days_ago(back: int) -> Callable[[re.Match[str], date], Span]:
    def resolve(_m: re.Match[str], today: date) -> Span:
        return today - timedelta(days=back), today - timedelta(days=back)

    return resolve


def _week(back: int) -> Callable[[re.Match[str], date], Span]:
    def resolve(_m: re.Match[str], today: date) -> Span:
        monday = today - timedelta(days=today.weekday() + 7 * back)
        return monday, monday + timedelta(days=6)

    return resolve


def _weekend(m: re.Match[str], today: date) -> Span:
    saturday = today - timedelta(days=(today.weekday() - 5) % 7)
    if m["last"] and saturday + timedelta(days=1) >= today:
        saturday -= timedelta(days=7)
    return saturday, saturday + timedelta(days=1)


def _month_back(back: int) -> Callable[[re.Match[str], date], Span]:
    return lambda _m, today: month(today.year, today.month - back)


def _quarter(back: int) -> Callable[[re.Match[str], date], Span]:
    def resolve(_m: re.Match[str], today: date) -> Span:
        first = 3 * ((today.month - 1) // 3) + 1 - 3 * back
        return month(today.year, first)[0], month(today.year, first + 2)[1]

    return resolve


def _year_back(back: int) -> Callable[[re.Match[str], date], Span]:
    return lambda _m, today: (date(today.year - back, 1, 1), date(today.year - back, 12, 31))


def _year(m: re.Match[str], _today: date) -> Span:
    return date(int(m[0]), 1, 1), date(int(m[0]), 12, 31)


_POINTS: Final[tuple[tuple[str, Callable[[re.Match[str], date], Span]], ...]] = (
    (r"\d{4}-\d\d-\d\d", _iso),
    (r"\d{1,2}[/.]\d{1,2}(?:[/.](?:\d{4}|\d\d))?", _day_in_digits),
    (rf"(?:the )?(?P<day>{_DAY}) (?:of )?(?P<month>{_MONTH})(?: (?P<year>{_YEAR}))?", _day_of_month),
    (rf"(?P<month>{_MONTH}) (?:the )?(?P<day>{_DAY})(?!\d)(?: ,)?(?: (?P<year>{_YEAR}))?", _day_of_month),
    (rf"(?:last |this )?(?P<month>{_MONTH})(?: (?:of )?(?P<year>{_YEAR}))?", _named_month),
    (rf"(?P<last>last )?(?P<weekday>{_WEEKDAY})", _weekday),
    (r"today", _days_ago(0)),
    (r"the day before yesterday", _days_ago(2)),
    (r"yesterday", _days_ago(1)),
    (rf"(?P<last>last |past )?(?:{_THIS} |the )?weekend", _weekend),
    (r"the month before last", _month_back(2)),
    (r"the week before last", _week(2)),
    (r"the (?P<day>\d{1,2}) (?:st|nd|rd|th)", _day_of_this_month),
    (rf"{_THIS} week", _week(0)),
    (rf"{_LAST} week", _week(1)),
    (rf"(?:{_THIS}|the) month", _month_back(0)),
    (rf"{_LAST} month", _month_back(1)),
    (rf"{_THIS} quarter", _quarter(0)),
    (rf"{_LAST} quarter", _quarter(1)),
    (rf"(?:{_THIS}|the) year", _year_back(0)),
    (rf"{_LAST} year", _year_back(1)),
    (_YEAR, _year),
)
POINT: Final = "(?:" + "|".join(re.sub(r"\(\?P<\w+>", "(?:", pattern) for pattern, _ in _POINTS) + ")"
"""A pattern for one point in time; `resolve` tells which days it covers."""


def resolve(text: str, today: date) -> Span | None:
    """Return the days that a text matched by `POINT` names; None for a day that does not exist."""
    for pattern, meaning in _POINTS:
        match = re.fullmatch(pattern, text)
        if match:
            try:
                return meaning(match, today)
            except ValueError:
                return None
    return None
