"""The words the model is sure of. What is close to one of the longer ones is taken for a typing error."""

from functools import lru_cache
from os.path import commonprefix
from typing import Final

MONTHS: Final = (
    "january february march april may june july august september october november december".split()
)
WEEKDAYS: Final = "monday tuesday wednesday thursday friday saturday sunday".split()

ALIASES: Final = {
    "acc": "account",
    "acct": "account",
    "accts": "accounts",
    "bal": "balance",
    "cancelled": "cancel",
    "cc": "card",
    "pls": "please",
    "plz": "please",
    "thx": "thanks",
    "tfr": "transfer",
    "trf": "transfer",
    "tx": "transactions",
    "txn": "transaction",
    "txns": "transactions",
    "u": "you",
    "xfer": "transfer",
}

_BANKING: Final = """
    account accounts activity afford available balance balances booking bookings category checking confirm
    credit current currency deposit deposits euros everything expense expenses groceries income insurance
    instructions interest investment largest latest loan loans monthly mortgage overdraft overdrawn password
    payment payments please previous purchase purchases receive received recent restaurant salary savings
    spend spending spent statement statements subscription subscriptions thanks tomorrow total transaction
    transactions transfer transferred transfers weather weekend withdraw withdrawal withdrawals yesterday month
    months
""".split()
"""The words that a typing error is mended to, together with the names of months and weekdays."""

_OTHERS: Final = """
    abort accent agent amount being bound calendar catch charge charges closed clothes coming combined cover credits crept
    confirmed current debit earlier eight event extensive found having incoming indeed internet later latent leave looking
    marco match matches mouth never older order patch paying pending placed pound pounds rather reads recipient sending
    sends shopping should smart speed spending stated sunny texts thank their there these thirty those three today
    conform lease loads receiver saving speeding thinks total totals translation twenty watch water whether
    wrong zeros
""".split()
"""Good words that are close to one of those."""

_TARGETS: Final = (*_BANKING, *MONTHS, *WEEKDAYS)
_GOOD: Final = frozenset({*_TARGETS, *_OTHERS})

MIN_LENGTH_TO_MEND: Final = 5
"""Shorter words have too many neighbours: "lend" is not "send"."""


@lru_cache(maxsize=4096)
def mended(word: str) -> str:
    """Return the word that is meant: an abbreviation written out, a single typing error mended."""
    if word in ALIASES:
        return ALIASES[word]
    if word in _GOOD or len(word) < MIN_LENGTH_TO_MEND or not word.isalpha():
        return word
    meant = [target for target in _TARGETS if _one_error(word, target)]
    # An ending says more than a beginning: "transactons" is not the singular.
    return min(meant, key=lambda target: (target[-1] != word[-1], target), default=word)


def alike(one: str, other: str) -> bool:
    """Tell whether two words are the same but for a single typing error."""
    return one == other or (min(len(one), len(other)) >= MIN_LENGTH_TO_MEND and _one_error(one, other))


def _one_error(one: str, other: str) -> bool:
    """Tell whether one letter is missing, added or another, or two neighbours are swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = len(commonprefix([one, other]))
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
