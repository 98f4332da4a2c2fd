"""JSON with one reading: what two readers could take differently is refused."""

import json
import math
from typing import Any, Final

MAX_DEPTH: Final = 32
"""Levels of arrays and objects in one document."""


class NotJson(Exception):
    """The bytes are no JSON text in UTF-8 (RFC 8259). No value is quoted."""


class Ambiguous(Exception):
    """A JSON text that another reader could take for another. No value is quoted."""


def strict_json(text: bytes) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return the value of a JSON text.

    Raises:
        NotJson: it is none, or holds NaN or Infinity.
        Ambiguous: an object has a member twice, in any spelling of upper and lower case; a number or a
            character has no exact reading; or it is nested deeper than `MAX_DEPTH`.
    """
    try:
        # UTF-8 and nothing else (RFC 8259 §8.1): some readers guess UTF-16 from the first bytes.
        value = json.loads(
            text.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_number
        )
    except (ValueError, RecursionError):
        raise NotJson("is not JSON in UTF-8") from None
    if _depth_exceeds(value, MAX_DEPTH):
        raise Ambiguous(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, which JSON can write and UTF-8 cannot
        raise Ambiguous("holds half a character") from None
    return value


def json_text(value: object) -> bytes:
    """Write a value that `strict_json` returned, or one like it, as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Which of two members counts is each reader's choice; some take names that differ only in case for one,
    # and some end a name at NUL.
    if any("\0" in name for name, _ in pairs):
        raise Ambiguous("names a member by what is no text")
    if len({name.casefold() for name, _ in pairs}) < len(pairs):
        raise Ambiguous("names a member twice")
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise NotJson(f"holds {name}, which is not JSON")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Ambiguous("holds a number that is too large")
    return number


def _depth_exceeds(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
