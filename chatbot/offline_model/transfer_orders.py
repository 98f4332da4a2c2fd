"""What a sentence says about a transfer: how much, from where, to whom, what for."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatbot.offline_model.accounts import Account, Mention, find_mentions
from chatbot.offline_model.amounts import Amount, find_amounts
from chatbot.offline_model.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Order:
    """The parts of a transfer that one sentence gives. `mentions` are the own accounts named, in order."""

    amounts: tuple[Amount, ...]
    amount_unusable: bool
    mentions: tuple[Mention, ...]
    payee: str | None
    memo: str | None
    later: bool
    from_somebody: bool

    @property
    def is_empty(self) -> bool:
        """Tell whether the sentence gave none of them."""
        return not (self.amounts or self.amount_unusable or self.mentions or self.payee or self.memo)


def is_order(sentence: Sentence) -> bool:
    """Tell whether the sentence asks for a transfer, as one about past transfers does not."""
    return sentence.says("order.asked")


def hints_at_order(sentence: Sentence) -> bool:
    """Tell whether a word for paying or transferring occurs anywhere."""
    return sentence.says("order.hinted")


def read_order(sentence: Sentence, accounts: Sequence[Account], *, name_alone: bool = False) -> Order:
    """Take a sentence about a transfer apart; `name_alone` lets the whole sentence be the payee's name."""
    memo, rest = _memo(sentence, "order.memo")
    later = rest.says("order.later")
    mentions = find_mentions(rest, accounts)
    amounts = find_amounts(mentions.rest)
    payee, rest = _payee(amounts.rest, name_alone=name_alone)
    if memo is None:
        memo, rest = _memo(rest, "order.for_what")
    return Order(
        amounts.found,
        amounts.unusable,
        mentions.found,
        payee,
        memo,
        later or rest.says("order.on_a_day"),
        rest.says("order.from_somebody"),
    )


def _memo(sentence: Sentence, phrases: str) -> tuple[str | None, Sentence]:
    match = sentence.find(phrases)
    if match is None:
        return None, sentence
    return sentence.typed(*match.span("memo")).strip("\" '"), sentence.without(*match.span())


def _payee(sentence: Sentence, *, name_alone: bool) -> tuple[str | None, Sentence]:
    match = sentence.find("order.payee") or (sentence.find("order.payee_alone") if name_alone else None)
    if match is None:
        return None, sentence
    return sentence.typed(*match.span("name")).removesuffix(" back"), sentence.without(*match.span())
