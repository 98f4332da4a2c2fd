"""Requests and answers as a report may show them: tokens shortened, secrets left out, nothing but text."""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus

Fields = Sequence[tuple[str, str]]

FORM: Final = "application/x-www-form-urlencoded"
_SHOWN_CHARACTERS: Final = 800
_SHORTEST_SECRET: Final = 6
_BEGINNING: Final = 4
_JWT: Final = re.compile(r"(eyJ[\w-]{6})[\w-]*\.[\w-]+(\.[\w-]*)?")
_SECRETS: Final = (
    "access_token|actor_token|client_assertion|client_secret|code|code_verifier|csrf|id_token|id_token_hint|"
    "password|refresh_token|subject_token|token"
)
_NAMES: Final = frozenset(_SECRETS.split("|"))
_PARAMETER: Final = re.compile(rf"(?<![\w-])({_SECRETS})=([^&\s]{{0,8}})[^&\s]*")
_MEMBER: Final = re.compile(rf'"({_SECRETS})"\s*:\s*"([^"]{{0,8}})[^"]*"')
_PART: Final = re.compile(rf'name="({_SECRETS})"(\r?\n){{2}}([^\r\n]{{0,8}})[^\r\n]*')
_BEARER: Final = re.compile(r"(?i)\b(bearer) ([\w.~+/-]{8})[\w.~+/=-]+")
_BASIC: Final = re.compile(r"(?i)\b(basic) [\w+/-]{4,}=*")
_COOKIES: Final = frozenset({"cookie", "set-cookie"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One request and its answer, as they are shown."""

    request: str
    answer: str


class Discretion:
    """Knows every secret that was sent or received, so that none is shown wherever a server repeats it."""

    def __init__(self) -> None:
        self._by_beginning: dict[str, set[str]] = {}

    def learn(self, headers: Fields, body: bytes, answer: bytes = b"") -> None:
        """Note the secrets of a request and of its answer."""
        for name, value in headers:
            scheme, _, credentials = value.partition(" ")
            if name.lower() == "authorization":
                self._know(credentials)
                if scheme.lower() == "basic":
                    self._know(_password_of(credentials))
            elif name.lower() in _COOKIES:
                for pair in value.split(";"):
                    self._know(pair.partition("=")[2])
        for name, value in parse_qsl(body.decode(errors="replace")):
            if name in _NAMES:
                self._know(value)
        for name, value in _members(answer):
            if name in _NAMES:
                self._know(value)

    def hide(self, text: str) -> str:
        """Return a text as it may be shown."""
        # Found by their beginnings: a long run knows thousands, and shows thousands of texts.
        beginnings = {text[i : i + _BEGINNING] for i in range(len(text))} & self._by_beginning.keys()
        spellings = chain.from_iterable(self._by_beginning[beginning] for beginning in beginnings)
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, "…")
        return printable(shortened(text))

    def clip(self, text: str) -> str:
        """Return the beginning of a text, as it may be shown."""
        text = self.hide(text)
        left_out = len(text) - _SHOWN_CHARACTERS
        return text if left_out <= 0 else f"{text[:_SHOWN_CHARACTERS]}… ({left_out} more characters)"

    def request(self, method: str, url: str, headers: Fields, body: bytes) -> str:
        """Return a request as it may be shown; a form a parameter a line, decoded."""
        lines = [f"{method} {self.clip(url)}", *self._headers(headers)]
        if body:
            text = body.decode(errors="replace")
            if any(value == FORM for _, value in headers):
                # Shortened before it is decoded, as long as each value ends at its `&`.
                text = "\n&".join(map(unquote_plus, shortened(text).split("&")))
            lines += ["", self.clip(text)]
        return "\n".join(lines)

    def answer(self, status: int, headers: Fields, text: str) -> str:
        """Return an answer as it may be shown."""
        shown = [(name, value) for name, value in headers if name.lower() not in {"date", "server"}]
        return "\n".join([str(status), *self._headers(shown), "", self.clip(text)]).rstrip()

    def _headers(self, headers: Fields) -> list[str]:
        return [
            f"{printable(name)}: {'…' if name.lower() in _COOKIES else self.clip(value)}"
            for name, value in headers
        ]

    def _know(self, secret: str) -> None:
        # A JWT is shortened wherever it stands, and its beginning may be shown.
        if len(secret) >= _SHORTEST_SECRET and not secret.startswith("eyJ"):
            for spelling in _spellings(secret):
                self._by_beginning.setdefault(spelling[:_BEGINNING], set()).add(spelling)


def shortened(text: str) -> str:
    """Return a text without a whole token, or a secret that its name gives away."""
    text = _JWT.sub(r"\1…", text)
    text = _PARAMETER.sub(lambda m: f"{m[1]}={_beginning(m[2])}", text)
    text = _MEMBER.sub(lambda m: f'"{m[1]}":"{_beginning(m[2])}"', text)
    text = _PART.sub(lambda m: f'name="{m[1]}"{m[2] * 2}{_beginning(m[3])}', text)
    text = _BASIC.sub(r"\1 …", text)
    return _BEARER.sub(lambda m: f"{m[1]} {_beginning(m[2])}", text)


def printable(text: str) -> str:
    """Return a text without what could steer a terminal, or that no file can hold."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c in "\r\t" else "�" for c in text)


def _beginning(value: str) -> str:
    """Return what may be shown of a secret: the beginning of a token, and nothing of what is short."""
    return f"{value}…" if value.startswith("eyJ") else "…"


def _spellings(secret: str) -> Iterable[str]:
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def _password_of(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except ValueError:
        return ""


def _members(body: bytes) -> list[tuple[str, str]]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [(n, v) for n, v in value.items() if isinstance(v, str)] if isinstance(value, dict) else []
