"""What a sentence asks about transactions: which accounts, when, how many, about what, and in which form."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from chatbot.offline_model.accounts import Account, find_mentions
from chatbot.offline_model.amounts import find_amounts
from chatbot.offline_model.intents import Activity, NoSuchAccount
from chatbot.offline_model.numbers import read_digits, read_words
from chatbot.offline_model.periods import find_period
from chatbot.offline_model.search_terms import find_term
from chatbot.offline_model.sentence import Sentence

_VAGUE: Final = {"couple of": 2, "few": 5}
MOST: Final = 100
"""The most transactions that an answer lists."""


def asks_for_activity(sentence: Sentence) -> bool:
    """Tell whether the sentence asks about transactions."""
    return sentence.says("activity.asked")


def read_activity(
    sentence: Sentence,
    accounts: Sequence[Account],
    today: date,
    before: Activity | None = None,
    *,
    term_alone: bool = False,
) -> Activity | NoSuchAccount:
    """Return what is asked for; with the question `before`, that one as this sentence changes it."""
    known = before or Activity()
    mentions = find_mentions(sentence, accounts)
    missing = next((mention for mention in mentions.found if not mention.account_ids), None)
    if missing is not None:
        return NoSuchAccount(missing.words)
    if mentions.found or mentions.all:
        ids = tuple(dict.fromkeys(i for mention in mentions.found for i in mention.account_ids))
        known = replace(known, account_ids=ids or None, every_account=mentions.all)
    elif sentence.says("activity.saved"):
        ids = tuple(account.account_id for account in accounts if account.type == "savings")
        known = replace(known, account_ids=ids or None, direction="in")
    period = find_period(mentions.rest, today)
    limit, rest = _limit(period.rest)
    least, most, rest = _bounds(rest)
    return replace(
        known,
        period=period.period or known.period,
        limit=limit or known.limit,
        term=find_term(rest, alone=term_alone) or known.term,
        direction=_direction(sentence) or known.direction,
        least=least if least or most else known.least,
        most=most if least or most else known.most,
        view=_view(sentence) or ("list" if limit else known.view),
    )


def _bounds(sentence: Sentence) -> tuple[Decimal | None, Decimal | None, Sentence]:
    """Return the least and the most that a transaction may be of: the same for an exact amount."""
    amounts = find_amounts(sentence)
    between = sentence.find("activity.between")
    lower = read_digits(between["lower"]) if between else None
    values = sorted([amount.value for amount in amounts.found] + ([lower] if lower else []))
    if not values:
        return None, None, sentence
    if sentence.says("activity.over"):
        return values[-1], None, amounts.rest
    if sentence.says("activity.under"):
        return None, values[0], amounts.rest
    return values[0], values[-1], amounts.rest


def _limit(sentence: Sentence) -> tuple[int | None, Sentence]:
    match = sentence.find("activity.limit")
    if match is None:
        return (1 if sentence.says("activity.the_last") else None), sentence
    text = match["limit"]
    number = _VAGUE.get(text) or (int(text) if text.isdecimal() else read_words(text))
    return max(1, min(number, MOST)), sentence.without(*match.span())


def _direction(sentence: Sentence) -> Literal["in", "out"] | None:
    return "in" if sentence.says("activity.in") else "out" if sentence.says("activity.out") else None


def _view(sentence: Sentence) -> Literal["list", "sum", "largest"] | None:
    return (
        "largest" if sentence.says("activity.largest") else "sum" if sentence.says("activity.sum") else None
    )
