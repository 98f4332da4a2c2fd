"""Scope as a set, because every rule about scope is a rule about sets (RFC 6749 §3.3)."""

import re
from collections.abc import Set as AbstractSet
from typing import Self

_SCOPE = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]*\Z")


class Scope(frozenset[str]):
    """An immutable set of scope tokens; `str()` gives the wire form, sorted and space-separated."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one space-separated string (RFC 6749 §3.3).

        Raises:
            ValueError: a token has a character that the grammar forbids.
        """
        if not _SCOPE.match(text):
            raise ValueError("scope has a character that RFC 6749 section 3.3 forbids")
        return cls(token for token in text.split(" ") if token)

    def __and__(self, other: AbstractSet[object]) -> "Scope":
        return Scope(super().__and__(other))

    def __sub__(self, other: AbstractSet[object]) -> "Scope":
        return Scope(super().__sub__(frozenset(str(token) for token in other)))

    def __str__(self) -> str:
        return " ".join(sorted(self))

    def __repr__(self) -> str:
        return f"Scope({str(self)!r})"
