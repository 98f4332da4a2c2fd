"""The words the model is sure of. What is close to one of them is taken for a typing error."""

import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

MONTHS: Final = (  # noqa: SIM905 - a list would be twelve lines
    "january february march april may june july august september october november december"
).split()
WEEKDAYS: Final = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905 - the same

_MIN_LENGTH_TO_MEND: Final = 5
"""Shorter words have too many neighbours: "lend" is not "send"."""


@lru_cache(maxsize=4096)
def mended(word: str) -> str:
    """Return the word that is meant: an abbreviation written out, a single typing error mended."""
    words = _document()
    if word in words["short"]:
        return str(words["short"][word])
    targets = (*words["mended_to"], *MONTHS, *WEEKDAYS)
    if len(word) < _MIN_LENGTH_TO_MEND or not word.isalpha() or word in (*targets, *words["good"]):
        return word
    meant = [target for target in targets if _one_error(word, target)]
    # An ending says more than a beginning: "transactons" is not the singular.
    return min(meant, key=lambda target: (target[-1] != word[-1], target), default=word)


def alike(one: str, other: str) -> bool:
    """Tell whether two words are the same but for a single typing error."""
    return one == other or (min(len(one), len(other)) >= _MIN_LENGTH_TO_MEND and _one_error(one, other))


def _one_error(one: str, other: str) -> bool:
    """Tell whether one letter is missing, added or another, or two neighbours are swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    same = next(
        (i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other))
    )
    a, b = one[same:], other[same:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(files("chatbot.offline_model").joinpath("vocabulary.toml").read_text("utf-8"))
