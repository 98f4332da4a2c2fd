"""Numbers as people write them: in digits of several countries, and in words."""

import re
from decimal import Decimal
from typing import Final

_UNITS: Final = (  # noqa: SIM905 - a list would be twenty lines
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - the same
_VALUES: Final = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 20 + 10 * index for index, word in enumerate(_TENS)},
}
_SCALES: Final = {"dozen": 12, "hundred": 100, "thousand": 1000}

_WORD: Final = "(?:" + "|".join([*_VALUES, *_SCALES]) + ")"
IN_WORDS: Final = rf"(?:a (?=dozen|hundred|thousand))?\b{_WORD}(?:(?: and |[ -]){_WORD})*\b"
"""A pattern for a number in words, such as "two hundred and fifty"."""
IN_DIGITS: Final = r"\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?(?![\w.,'/-])|\d[\d.,'/-]*"
"""A pattern for a number in digits; what it finds may still be a date or an account: see `read_digits`."""

_GROUPED: Final = re.compile(r"[1-9]\d{0,2}(?:([.,' ])\d{3})(?:\1\d{3})*\Z")
_DECIMAL: Final = re.compile(
    r"(?P<whole>\d+|[1-9]\d{0,2}(?P<group>[.,' ])\d{3}(?:(?P=group)\d{3})*)[.,](?P<cents>\d{1,2})\Z"
)


def read_digits(text: str) -> Decimal | None:
    """Return the number, or None where it cannot be told what was meant.

    Both "1,250.50" and "1.250,50" are understood: one or two digits behind the last mark are a fraction,
    three are a group of thousands.
    """
    if text.isdecimal():
        return Decimal(text)
    if _GROUPED.match(text):
        return Decimal(re.sub(r"\D", "", text))
    match = _DECIMAL.match(text)
    if match is None:
        return None
    return Decimal(re.sub(r"\D", "", match["whole"]) + "." + match["cents"])


def read_words(text: str) -> int:
    """Return the value of what `IN_WORDS` matched."""
    total = current = 0
    for word in re.split(r"[ -]", text):
        if word in _VALUES:
            current += _VALUES[word]
        elif word == "thousand":
            total, current = total + max(current, 1) * _SCALES[word], 0
        elif word in _SCALES:
            current = max(current, 1) * _SCALES[word]
    return total + current
