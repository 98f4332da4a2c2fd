"""Accounts as customers name them: by number, by name, by type, or by what people call that type."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from chatbot.offline_model.phrases import alternatives
from chatbot.offline_model.sentence import Sentence

Role = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the tools gave it. `currency` is its currency code."""

    account_id: str
    name: str
    type: str
    currency: str

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "Account":
        """Read one entry of `list_accounts`."""
        return cls(entry["account_id"], entry["name"], entry["type"], entry["balance"]["currency"])


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where a sentence names accounts. No ids: what is named is not among the customer's accounts."""

    account_ids: tuple[str, ...]
    words: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class Mentions:
    """Every mention of accounts in a sentence, whether all accounts were meant, and the rest of the words."""

    found: tuple[Mention, ...]
    all: bool
    rest: Sentence


_ACCOUNT_ID: Final = r"\d{4}-\d{2}(?![-\d])"
_SOURCE: Final = r"from|out of|using|with|via|use"
_TARGET: Final = r"to|into|onto|towards|toward|in|on"
_LEAD: Final = (
    rf"(?:\b(?:(?P<source>{_SOURCE})|(?P<target>{_TARGET})|of|for) )?"
    r"(?:my |the |our |your |that |this )?(?:own |other )?(?:account (?:number |no |nr )?(?:. )?)?"
)


def find_mentions(sentence: Sentence, accounts: Sequence[Account]) -> Mentions:
    """Take the accounts out of a sentence, in the order: number, full name, part of a name, type."""
    every = sentence.find("account.every")
    if every:
        sentence = sentence.without(*every.span())
    found: list[tuple[int, Mention]] = []
    for pattern, account_ids in _patterns(accounts):
        while match := pattern.search(sentence.text):
            words = match["name"]
            ids = account_ids or ((words,) if re.fullmatch(_ACCOUNT_ID, words) else ())
            role: Role | None = "source" if match["source"] else "target" if match["target"] else None
            found.append((match.start(), Mention(ids, words, role)))
            sentence = sentence.without(*match.span())
    in_order = tuple(mention for _, mention in sorted(found, key=lambda entry: entry[0]))
    return Mentions(in_order, every is not None, sentence)


def _patterns(accounts: Sequence[Account]) -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    forms: list[tuple[str, tuple[str, ...]]] = [(_ACCOUNT_ID, ())]
    forms += [(_whole(account.name), (account.account_id,)) for account in accounts]
    forms += [form for account in accounts for form in _parts_of_name(account, accounts)]
    forms += [
        (
            alternatives(f"account.{kind}"),
            tuple(account.account_id for account in accounts if account.type == kind),
        )
        for kind in ("checking", "savings", "credit_card")
    ]
    return [
        (re.compile(rf"{_LEAD}\b(?P<name>{form})(?: accounts?\b| acct\b)?(?![\w'])"), ids)
        for form, ids in forms
    ]


def _whole(name: str) -> str:
    return re.escape(Sentence.read(name).text)


def _parts_of_name(account: Account, accounts: Sequence[Account]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the words that only this account's name has: "holiday" for "Holiday Savings"."""
    others = {word for other in accounts if other != account for word in _name_words(other)}
    return [
        (rf"{word} (?:account|savings?|fund|pot|card|money)|(?<=my ){word}", (account.account_id,))
        for word in _name_words(account)
        if word not in others and not re.fullmatch(alternatives("account.no_name"), word)
    ]


def _name_words(account: Account) -> list[str]:
    return [re.escape(word.text) for word in Sentence.read(account.name).words]
