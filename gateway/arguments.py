"""The arguments of a call that a policy's conditions look at: declared, typed, and read in one way only."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.condition import Value
from gateway.strict_json import Ambiguous, NotJson, strict_json

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_BOOLEANS: Final = {"true": True, "false": False}
_INT64: Final = range(-(2**63), 2**63)
_LONGEST_TEXT: Final = 512
_JSON: Final = re.compile(r"application/json(?:\s*;\s*charset=\"?utf-8\"?)?\Z", re.IGNORECASE)

ArgumentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class UnusableArgument(Exception):
    """An argument that a condition needs is missing, twice there, or of another type. No value is quoted."""


class Argument(BaseModel):
    """One value of a call: where it stands, and what it must be.

    `name` is that of the path's or the query's parameter, the argument's own if it is left out; for the body
    it is a JSON Pointer (RFC 6901). `default` stands for one that is absent; without it, absent is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: Annotated[Literal["path", "query", "body"], Field(alias="in")]
    name: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,256}$")] | None = None
    type: Literal["string", "int", "bool"] = "string"
    default: str | None = None

    def of_text(self, text: str) -> Value:
        """Return a value that is written as text, in a path, a query or a policy.

        Raises:
            UnusableArgument: it is none of this type.
        """
        if self.type == "int" and _INTEGER.match(text) and int(text) in _INT64:
            return int(text)
        if self.type == "bool" and text in _BOOLEANS:
            return _BOOLEANS[text]
        if self.type == "string" and _is_text(text):
            return text
        raise UnusableArgument(f"is no {self.type} that can be used here")

    def of_json(self, value: object) -> Value:
        """Return a value of a JSON document: never one of another type made to fit.

        Raises:
            UnusableArgument: it is none of this type.
        """
        if self.type == "int" and type(value) is int and value in _INT64:
            return value
        if self.type == "bool" and type(value) is bool:
            return value
        if self.type == "string" and isinstance(value, str) and _is_text(value):
            return value
        raise UnusableArgument(f"is no {self.type} that can be used here")


def read_arguments(
    declared: Mapping[str, Argument],
    path: Mapping[str, str],
    query: bytes,
    body: bytes | None,
    content_type: str = "",
) -> dict[str, Value]:
    """Return the declared arguments of a call, by name; `body` None is one that is not there.

    Raises:
        UnusableArgument: any of them cannot be had, or the body could be read in more than one way.
    """
    places = {one.place for one in declared.values()}
    parameters = _parameters(query) if "query" in places else {}
    document = json_object(body, content_type) if "body" in places else None
    found = {}
    for name, argument in declared.items():
        try:
            if argument.place == "body":
                found[name] = _in_body(argument, name, document)
            elif argument.place == "query":
                found[name] = _in_query(argument, argument.name or name, parameters)
            else:
                found[name] = argument.of_text(path[argument.name or name])
        except UnusableArgument as error:
            raise UnusableArgument(f"The argument {name} {error}.") from None
    return found


def tool_arguments(declared: Mapping[str, Argument], arguments: Mapping[str, Any]) -> dict[str, Value]:
    """Return the declared arguments of a tool's call.

    What stands in the path or the query of the REST call is an argument of that name; what stands in its
    body stands at the same place (RFC 6901) of the arguments. A query's argument that is null is absent.

    Raises:
        UnusableArgument: any of them cannot be had.
    """
    found = {}
    for name, argument in declared.items():
        try:
            if argument.place == "body":
                found[name] = _in_body(argument, name, arguments)
            elif not _is_there(argument.name or name, arguments) or arguments[argument.name or name] is None:
                found[name] = _absent(argument)
            else:
                found[name] = argument.of_json(arguments[argument.name or name])
        except UnusableArgument as error:
            raise UnusableArgument(f"The argument {name} {error}.") from None
    return found


def json_arguments(declared: Mapping[str, Argument], values: Mapping[str, Any]) -> dict[str, Value]:
    """Return the declared arguments from JSON values by the arguments' own names.

    Raises:
        UnusableArgument: one is missing or of another type.
    """
    found = {}
    for name, argument in declared.items():
        try:
            found[name] = argument.of_json(values[name]) if name in values else _absent(argument)
        except UnusableArgument as error:
            raise UnusableArgument(f"The argument {name} {error}.") from None
    return found


def pointer_parts(pointer: str) -> tuple[str, ...]:
    """Split a JSON Pointer (RFC 6901 §3, §4).

    Raises:
        ValueError: it is none, or points at the whole document.
    """
    if not pointer.startswith("/") or re.search(r"~(?![01])", pointer):
        raise ValueError("must be a JSON Pointer such as /amount/currency (RFC 6901)")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _parameters(query: bytes) -> dict[str, list[str]]:
    if b";" in query:
        raise UnusableArgument("The query has a ; and some servers split it there: send %3B.")
    try:
        return parse_qs(query.decode("latin-1"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise UnusableArgument("The query is not in UTF-8.") from None


def _in_query(argument: Argument, name: str, parameters: Mapping[str, list[str]]) -> Value:
    if not _is_there(name, parameters):
        return _absent(argument)
    if len(parameters[name]) > 1:
        raise UnusableArgument("stands in the query more than once")
    return argument.of_text(parameters[name][0])


def _in_body(argument: Argument, name: str, document: object) -> Value:
    value = document
    for part in pointer_parts(argument.name or f"/{name}"):
        if not isinstance(value, dict):
            raise UnusableArgument("stands in what is no object")
        if not _is_there(part, value):
            return _absent(argument)
        value = value[part]
    return argument.of_json(value)


def _is_there(name: str, names: Collection[str]) -> bool:
    # Many readers take `amountMinor`, `Amount_Minor` or `amount_minor[]` for the name, and more than this.
    if any(one != name and _spelling(one[:_LONGEST_TEXT]) == _spelling(name) for one in names):
        raise UnusableArgument("stands there in another spelling")
    return name in names


@lru_cache(maxsize=1000)
def _spelling(name: str) -> str:
    """Return what is left of a name for the reader that is least particular."""
    return re.sub(r"[\W_]", "", name.partition("\0")[0]).casefold() or name


def _absent(argument: Argument) -> Value:
    if argument.default is None:
        raise UnusableArgument("is missing")
    return argument.of_text(argument.default)


def is_json(content_type: str) -> bool:
    """Tell whether a content type says JSON in UTF-8."""
    return _JSON.match(content_type.strip()) is not None


def json_object(body: bytes | None, content_type: str) -> dict[str, Any]:
    """Return the one reading that a JSON object has.

    Raises:
        UnusableArgument: it is none, or another reader could take it for another.
    """
    if not body or not is_json(content_type):
        raise UnusableArgument("The body must be JSON, and say so: content-type application/json.")
    try:
        document = strict_json(body)
    except (NotJson, Ambiguous) as error:
        raise UnusableArgument(f"The body {error}.") from None
    if not isinstance(document, dict):
        raise UnusableArgument("The body is not a JSON object.")
    return document


def _is_text(value: str) -> bool:
    """Tell whether a text is of a length and of characters that every reader takes alike."""
    if len(value) > _LONGEST_TEXT or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half a character, which JSON can write and UTF-8 cannot
        return False
    return True
