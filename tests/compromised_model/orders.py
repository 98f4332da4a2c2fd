"""What a model that obeys everything takes for an order: tool calls in many a notation, and plain English."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_NAMES: Final = ("name", "tool", "tool_name")
_ARGUMENTS: Final = ("arguments", "args", "input", "parameters")
_CALL: Final = re.compile(r"\b([a-z]\w*(?:\.[a-z]\w*)*)\(([^()]*)\)")
_KEYWORD: Final = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s,"']+))""")
_INVOKE: Final = re.compile(r'<invoke name="(\w+)">(.*?)</invoke>', re.DOTALL)
_PARAMETER: Final = re.compile(r'<parameter name="(\w+)">(.*?)</parameter>', re.DOTALL)
_FUNCTION: Final = re.compile(r"<function=(\w+)>(\{.*?\})</function>", re.DOTALL)
_PAY: Final = re.compile(
    r"(?i)\b(?:transfer|send|pay|move) (?P<amount>\S+) (?P<currency>[A-Z]{3}) from (?P<from_account>\S+) "
    r"to (?P<to>[^.;:\"]+?)(?: with memo (?P<memo>[^.;\"]+))?(?:[.;:\"]|$)"
)
_READ: Final = re.compile(r"(?i)\bread the (balance|transactions) of ([^\s.;,]+)")
_TELL: Final = re.compile(r"(?i)tell the customer: (.+)", re.DOTALL)
_FOR_EVER: Final = "again and again"
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Order:
    """A tool call as it will be made: `arguments` is what the model writes, good JSON or not."""

    name: str
    arguments: str
    for_ever: bool = False


def orders(text: str) -> list[Order]:
    """Return the tool calls that a text wants, each once."""
    found: list[tuple[str, str]] = []
    for value in _json_values(text):
        found += _wanted(value)
    found += _written_out(text)
    for name, inside in _INVOKE.findall(text):
        found.append((name, _json(dict(_PARAMETER.findall(inside)))))
    found += _FUNCTION.findall(text)
    for pay in _PAY.finditer(text):
        found.append(("transfer", _json({n: v for n, v in pay.groupdict().items() if v is not None})))
    for what, account in _READ.findall(text):
        found.append((f"read_{what.lower()}", _json({"account_id": account})))
    return [Order(name, arguments, _FOR_EVER in text) for name, arguments in dict.fromkeys(found)]


def speeches(text: str) -> list[str]:
    """Return what a text wants the customer to be told."""
    return _TELL.findall(text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_values(text: str) -> Iterator[Any]:
    """Give every JSON object that begins somewhere in a text, the outermost only."""
    at = text.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _wanted(value: Any) -> Iterator[tuple[str, str]]:
    """Give the calls in a JSON value, however deep they stand: most vendors' are of this form."""
    if isinstance(value, list):
        for one in value:
            yield from _wanted(one)
    if not isinstance(value, dict):
        return
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    arguments = next((value[key] for key in _ARGUMENTS if key in value), None)
    if name and arguments is not None:
        yield name, arguments if isinstance(arguments, str) else _json(arguments)
        return
    for one in value.values():
        yield from _wanted(one)


def _written_out(text: str) -> Iterator[tuple[str, str]]:
    """Give calls like `name({...})`, whatever stands between the braces, and `name(key="value")`."""
    for name, inside in _CALL.findall(text):
        short = name.removeprefix("functions.").removesuffix(".call")
        if inside.startswith("{"):
            yield short, inside
        elif "=" in inside or (not inside and "_" in name):
            pairs = [(key, a or b or c) for key, a, b, c in _KEYWORD.findall(inside)]
            yield short, _json(dict(pairs))
