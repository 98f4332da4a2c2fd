"""Amounts of money in a sentence: "€50", "1.250,50 EUR", "twenty euros", "12 euros and 50 cents", "2k"."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chatbot.offline_model.numbers import IN_DIGITS, IN_WORDS, read_digits, read_words
from chatbot.offline_model.sentence import Sentence

_CURRENCIES: Final = {
    "EUR": ("€", "eur", "euro", "euros"),
    "USD": ("$", "usd", "dollar", "dollars", "buck", "bucks"),
    "GBP": ("£", "gbp", "pound", "pounds", "quid"),
    "CHF": ("chf", "franc", "francs"),
    "JPY": ("jpy", "yen"),
}
_CODE_OF: Final = {word: code for code, words in _CURRENCIES.items() for word in words}
_CURRENCY: Final = (
    "(?:" + "|".join(re.escape(word) for word in sorted(_CODE_OF, key=len, reverse=True)) + r")(?![\w'])"
)
_CENTS: Final = r"(?:(?:and )?(?P<cents>\d{1,2}|" + IN_WORDS + r") cents?\b)"
_AMOUNT: Final = re.compile(
    rf"(?<![\w'])(?:(?P<before>{_CURRENCY}) )?(?P<minus>- )?(?:(?P<sign>{_CURRENCY}) )?"
    rf"(?:(?P<digits>{IN_DIGITS})|(?P<words>{IN_WORDS}))(?P<kilo> k\b| grand\b| thousand\b)?"
    rf"(?: (?P<after>{_CURRENCY})(?: {_CENTS})?)?"
)
_ONLY_CENTS: Final = re.compile(rf"(?<![\w'])(?P<number>\d{{1,2}}|{IN_WORDS}) cents?\b")
_NOT_AN_AMOUNT: Final = re.compile(
    r"(?:invoice|number|no|room|order|nr|customer|reference|ref|account|memo|note|#)(?: \.| :)? $"
)
_LARGEST: Final = Decimal("9999999.99")


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount: major units with at most two decimals; `currency` None where the customer named none."""

    value: Decimal
    currency: str | None


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a sentence says about money: the amounts, whether one was unusable, and the rest of the words."""

    found: tuple[Amount, ...]
    unusable: bool
    rest: Sentence


def find_amounts(sentence: Sentence) -> Amounts:
    """Take the amounts out of a sentence.

    A number without a currency counts only where no other number has one. Zero, a negative number and
    what cannot be read for sure are `unusable`.
    """
    matches = [m for m in _AMOUNT.finditer(sentence.text) if _may_be_money(m, sentence.text)]
    named = [m for m in matches if m["before"] or m["sign"] or m["after"]]
    cents = [] if named else list(_ONLY_CENTS.finditer(sentence.text))
    chosen = cents or named or matches
    values = [_cents(m) if cents else _amount(m) for m in chosen]
    for match in reversed(chosen):
        sentence = sentence.without(*match.span())
    found = tuple(amount for amount in values if amount is not None)
    return Amounts(found, len(found) < len(values), sentence)


def _may_be_money(match: re.Match[str], text: str) -> bool:
    named = match["before"] or match["sign"] or match["after"]
    bare_one = match["words"] == "one"
    return bool(named) or not (bare_one or _NOT_AN_AMOUNT.search(text[: match.start()]))


def _amount(match: re.Match[str]) -> Amount | None:
    number = read_digits(match["digits"]) if match["digits"] else Decimal(read_words(match["words"]))
    if number is None or match["minus"]:
        return None
    value = number * 1000 if match["kilo"] else number
    if match["cents"]:
        cents = match["cents"]
        value += Decimal(int(cents) if cents.isdecimal() else read_words(cents)) / 100
    currency = match["before"] or match["sign"] or match["after"]
    return Amount(value, _CODE_OF.get(currency or "")) if 0 < value <= _LARGEST else None


def _cents(match: re.Match[str]) -> Amount | None:
    number = match["number"]
    value = Decimal(int(number) if number.isdecimal() else read_words(number)) / 100
    return Amount(value, None) if value > 0 else None
