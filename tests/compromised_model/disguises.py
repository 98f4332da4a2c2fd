"""How a text is hidden from people and filters, and how a model that sees through everything reads it."""

import base64
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, unquote

Rewrite = Callable[[str], str]

_CYRILLIC: Final = str.maketrans("aceopxyi", "асеорхуі")
_LATIN: Final = str.maketrans("асеорхуі", "aceopxyi")
_BITS: Final = {"0": "\u200b", "1": "\u200c"}
_LEAST_ENCODED: Final = 16
"""Letters that a run must have to be taken for an encoding, and not for a word."""


def _to_tags(text: str) -> str:
    return "Thanks!" + "".join(chr(0xE0000 + ord(one)) for one in text)


def _from_tags(text: str) -> str:
    return "".join(chr(ord(one) - 0xE0000) for one in text if 0xE0020 <= ord(one) <= 0xE007E)


def _to_zero_width(text: str) -> str:
    return "\u200b".join(text)


def _without_format_characters(text: str) -> str:
    return "".join(one for one in text if unicodedata.category(one) != "Cf")


def _backwards(text: str) -> str:
    return _without_format_characters(text)[::-1]


def _to_bits(text: str) -> str:
    return "Thanks!" + "".join(_BITS[bit] for one in text for bit in f"{ord(one):08b}")


def _from_bits(text: str) -> str:
    bits = "".join("01"[one == _BITS["1"]] for one in text if one in _BITS.values())
    return "".join(chr(int(bits[i : i + 8], 2)) for i in range(0, len(bits) - 7, 8))


def _from_runs(pattern: str, decode: Callable[[str], bytes]) -> Rewrite:
    """Return how to read what stands encoded within a text."""

    def one(run: re.Match[str]) -> str:
        try:
            return decode(run[0]).decode("ascii")
        except ValueError:
            return run[0]

    return lambda text: re.sub(pattern, one, text)


DISGUISES: Final[dict[str, tuple[Rewrite, Rewrite]]] = {
    "base64": (
        lambda text: base64.b64encode(text.encode()).decode(),
        _from_runs(rf"[A-Za-z0-9+/]{{{_LEAST_ENCODED},}}={{0,2}}", base64.b64decode),
    ),
    "bidi": (lambda text: f"\u202e{text[::-1]}\u202c", _backwards),
    "bits": (_to_bits, _from_bits),
    "entities": (lambda text: "".join(f"&#{ord(one)};" for one in text), html.unescape),
    "full width": (
        lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
        lambda text: unicodedata.normalize("NFKC", text),
    ),
    "hex": (
        lambda text: text.encode().hex(),
        _from_runs(rf"(?:[0-9a-f]{{2}}){{{_LEAST_ENCODED},}}", bytes.fromhex),
    ),
    "homoglyphs": (lambda text: text.translate(_CYRILLIC), lambda text: text.translate(_LATIN)),
    "json escapes": (
        lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
        lambda text: re.sub(r"\\u([0-9a-f]{4})", lambda one: chr(int(one[1], 16)), text),
    ),
    "percent": (lambda text: quote(text, safe=""), unquote),
    "reversed": (lambda text: text[::-1], _backwards),
    "rot13": (lambda text: codecs.encode(text, "rot13"), lambda text: codecs.decode(text, "rot13")),
    "spaced": (
        lambda text: "   ".join(" ".join(word) for word in text.split(" ")),
        lambda text: re.sub(r"(?<=\S) (?=\S)", "", text).replace("   ", " "),
    ),
    "tags": (_to_tags, _from_tags),
    "zero width": (_to_zero_width, _without_format_characters),
}
"""By name: how a text is hidden, and how it is read again."""


def disguised(text: str, name: str) -> str:
    """Return the text in a disguise."""
    return DISGUISES[name][0](text)


def readings(text: str) -> Iterator[list[str]]:
    """Give a text as it stands; then what it can be read as through one disguise, and through two."""
    layer, known = [text], {text}
    for _ in range(3):
        yield layer
        found = dict.fromkeys(read(one) for one in layer for _, read in DISGUISES.values())
        layer = [one for one in found if one and one not in known]
        known |= found.keys()
