"""How figures, days and bank text appear in answers."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from chatbot.offline_model.dates import month
from chatbot.offline_model.periods import Period

_NOT_PLAIN: Final = re.compile(r"[\[\]()<>*_`~|#!\\$]|https?://\S*|[^\S ]+")


def money(value: Decimal, currency: str) -> str:
    """Return an amount in the one form that answers use: EUR 2,340.50."""
    return f"{currency} {value:,.2f}"


def money_of(entry: Mapping[str, Any]) -> str:
    """Return an amount that a tool gave."""
    return money(Decimal(entry["amount"]), entry["currency"])


def day(value: date) -> str:
    """Return a date: 5 March 2026."""
    return f"{value.day} {value:%B %Y}"


def span(period: Period | None) -> str:
    """Return a period with a leading space, to stand behind what happened in it; nothing for None."""
    if period is None:
        return ""
    if period.start is None:
        return f" until {day(period.end)}" if period.end else ""
    if period.end is None:
        return f" since {day(period.start)}"
    if period == Period(*month(period.start.year, period.start.month)):
        return f" in {period.start:%B %Y}"
    if period.start == period.end:
        return f" on {day(period.start)}"
    return f" from {day(period.start)} to {day(period.end)}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Return the items as one phrase: "a, b and c"."""
    return f" {last} ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def plain(text: str, longest: int = 80) -> str:
    """Return text that others wrote into the bank's data as mere text: no links, no markup, not long."""
    words = " ".join(_NOT_PLAIN.sub(" ", text).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"
