"""The patterns of `phrases.toml`, by name."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

from chatbot.offline_model.numbers import IN_DIGITS, IN_WORDS

_REFERENCE: Final = re.compile(r"<<(\w+)>>")
_PARTS: Final = ("part", "part_of_term", "part_of_order")


@cache
def patterns(name: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of a group, such as "activity.asked", in the order to try them in."""
    section, _, group = name.partition(".")
    entries: list[str] = _document()[section][group]
    return tuple(re.compile(rf"(?<![\w'])(?:{_spelled_out(entry)})(?![\w'])") for entry in entries)


def alternatives(name: str) -> str:
    """Return a group as one pattern, to be built into another."""
    section, _, group = name.partition(".")
    return "(?:" + "|".join(map(_spelled_out, _document()[section][group])) + ")"


def _spelled_out(entry: str) -> str:
    return _REFERENCE.sub(lambda match: _part(match[1]), entry)


def _part(name: str) -> str:
    built_in = {"number": IN_WORDS, "digits": IN_DIGITS}
    if name in built_in:
        return f"(?:{built_in[name]})"
    return next(alternatives(f"{section}.{name}") for section in _PARTS if name in _document()[section])


@cache
def _document() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(files("chatbot.offline_model").joinpath("phrases.toml").read_text("utf-8"))
