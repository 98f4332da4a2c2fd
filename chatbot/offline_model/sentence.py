"""A customer's sentence as words: as they were typed, and as they are understood."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from chatbot.offline_model.phrases import patterns
from chatbot.offline_model.vocabulary import mended

CUT = "|"
"""Stands where words were taken out, so that their neighbours do not run together."""

_TOKEN = re.compile(
    r"[^\s@]+@[^\s@]+"  # an e-mail address
    r"|\d+(?:[.,'/-]\d+)*"  # 1.250,50   2026-03-01   4001-01   12/03
    r"|(?:eur|usd|gbp|chf)(?=\d)"  # EUR50
    r"|[^\W\d_]+(?:['&.-]?[^\W_]++)*+"  # what's   twenty-five   M&S   amazon.com
    r"|[€$£?!.,;:\"-]",
    re.IGNORECASE,
)
_STRAIGHT = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "−": "-", "\u00a0": " "})


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `text` is lower-case with typing errors mended, `start` and `end` its place in the source."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """Words of `source`, in order. Patterns are searched in `text`, names are taken from the source."""

    source: str
    words: tuple[Word, ...]

    @classmethod
    def read(cls, source: str) -> Self:
        """Take a customer's message apart."""
        source = source.translate(_STRAIGHT)
        words = (Word(mended(m.group().lower()), m.start(), m.end()) for m in _TOKEN.finditer(source))
        return cls(source, tuple(words))

    @cached_property
    def text(self) -> str:
        """Return the words, lower-case and one space apart."""
        return " ".join(word.text for word in self.words)

    def says(self, phrases: str) -> bool:
        """Tell whether a phrase of this group of `phrases.toml` occurs."""
        return self.find(phrases) is not None

    def says_only(self, *groups: str) -> bool:
        """Tell whether the sentence is made of phrases of these groups and of nothing else."""
        left = self.text
        for pattern in (pattern for group in groups for pattern in patterns(group)):
            left = pattern.sub(" ", left)
        return not left.strip()

    def find(self, phrases: str) -> re.Match[str] | None:
        """Return the first place of the first phrase of this group that occurs."""
        return next((match for pattern in patterns(phrases) if (match := pattern.search(self.text))), None)

    def without(self, start: int, end: int) -> Self:
        """Return the sentence with the words that touch `text[start:end]` cut out."""
        first, last = self._span(start, end)
        cut = (Word(CUT, -1, -1),)
        return type(self)(self.source, self.words[:first] + cut + self.words[last:])

    def typed(self, start: int, end: int) -> str:
        """Return `text[start:end]` as it was typed; it must not reach over a cut."""
        first, last = self._span(start, end)
        return self.source[self.words[first].start : self.words[last - 1].end] if first < last else ""

    def _span(self, start: int, end: int) -> tuple[int, int]:
        offset, touched = 0, []
        for index, word in enumerate(self.words):
            if offset < end and offset + len(word.text) > start:
                touched.append(index)
            offset += len(word.text) + 1
        return (touched[0], touched[-1] + 1) if touched else (0, 0)
