"""Which transactions a search term means."""

from collections.abc import Mapping
from typing import Any, Final

from chatbot.offline_model.sentence import Sentence
from chatbot.offline_model.vocabulary import alike

_MEANS: Final = {
    "clothe": ("shopping",),
    "coffee": ("cafe", "coffee", "bakery"),
    "dining": ("eating out",),
    "eating": ("eating out",),
    "electricity": ("electricity", "energy"),
    "entertainment": ("leisure", "subscriptions"),
    "food": ("groceries", "eating out"),
    "heating": ("heating", "energy"),
    "income": ("income",),
    "payroll": ("income",),
    "power": ("electricity", "energy"),
    "restaurant": ("eating out",),
    "salary": ("salary", "income"),
    "streaming": ("subscriptions",),
    "supermarket": ("groceries",),
    "takeaway": ("eating out",),
    "train": ("rail", "train"),
    "travel": ("transport", "travel"),
    "wage": ("income",),
}
"""What people say, and the words that the bank's data may have for it."""


def is_about(entry: Mapping[str, Any], term: str) -> bool:
    """Tell whether a transaction's counterparty, description or category fits the term."""
    text = " ".join(str(entry[field]) for field in ("counterparty", "description", "category")).casefold()
    if term in text or any(word in text for word in _MEANS.get(_singular(term), ())):
        return True
    there = {_singular(word.text) for word in Sentence.read(text).words}
    wanted = [_singular(word.text) for word in Sentence.read(term).words]
    return bool(wanted) and all(any(alike(word, other) for other in there) for word in wanted)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
