"""Conditions in CEL: compiled and type-checked once, when the policy is read; evaluated for each call.

CEL (cel.dev) has no loops, no side effects and no access to anything but the values it is given.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cel_expr_python import cel

from delegation.token import AccessToken

Value = str | int | bool
"""What an argument of a call can be."""

_TYPES: Final = {"string": cel.Type.STRING, "int": cel.Type.INT, "bool": cel.Type.BOOL}
_TEXTS: Final = cel.Type.List(cel.Type.STRING)
_DETAILS: Final = cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
_ERROR: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?: \(in container ''\))?$", re.MULTILINE)


class Facts(NamedTuple):
    """What a condition may look at: a verified token, the call's arguments, and the time (aware UTC)."""

    token: AccessToken
    arguments: Mapping[str, Value]
    now: Any


_VARIABLES: Final[Mapping[str, tuple[cel.Type, Callable[[Facts], Any]]]] = {
    "customer": (cel.Type.STRING, lambda facts: facts.token.subject),
    "actor.sub": (cel.Type.STRING, lambda facts: facts.token.actors[0]),
    "actor.chain": (_TEXTS, lambda facts: list(facts.token.actors)),
    "claims.aud": (_TEXTS, lambda facts: list(facts.token.audience)),
    "claims.client_id": (cel.Type.STRING, lambda facts: facts.token.client_id),
    "claims.exp": (cel.Type.TIMESTAMP, lambda facts: facts.token.expires_at),
    "claims.iat": (cel.Type.TIMESTAMP, lambda facts: facts.token.issued_at),
    "claims.iss": (cel.Type.STRING, lambda facts: facts.token.issuer),
    "claims.jti": (cel.Type.STRING, lambda facts: facts.token.jti),
    "claims.scope": (_TEXTS, lambda facts: sorted(facts.token.scope)),
    "authorization_details": (_DETAILS, lambda facts: authorization_details(facts.token)),
    "now": (cel.Type.TIMESTAMP, lambda facts: facts.now),
}
"""Name in an expression to its type and its value. An argument is `args.` and its name."""


def authorization_details(token: AccessToken) -> list[dict[str, Any]]:
    """Return the token's `authorization_details` (RFC 9396 §2), empty where it has none."""
    return token.account_transfer.as_claim() if token.account_transfer else []


@lru_cache(maxsize=10_000)
def compiled(text: str, arguments: tuple[tuple[str, str], ...]) -> "Expression":
    """Return the expression of a text, the same one for the same text and argument names and types.

    Raises:
        Uncompilable: as for `Expression`.
    """
    return Expression(text, dict(arguments))


class Uncompilable(ValueError):
    """An expression that is not CEL, names what there is not, or can be no yes or no."""


class Undecidable(Exception):
    """An evaluation that ended in no yes and no no; the text says why and quotes no value."""


class Expression:
    """One compiled expression."""

    def __init__(self, text: str, arguments: Mapping[str, str]) -> None:
        """Compile; `arguments` are the names and types (`string`, `int`, `bool`) of `args`.

        Raises:
            Uncompilable: the text says what is wrong and in which column.
        """
        types = {name: type_ for name, (type_, _) in _VARIABLES.items()}
        types |= {f"args.{name}": _TYPES[type_] for name, type_ in arguments.items()}
        try:
            self._program = cel.NewEnv(variables=types).compile(text)
        except RuntimeError as error:
            raise Uncompilable(_said(str(error))) from error
        if self._program.return_type() != cel.Type.BOOL:
            raise Uncompilable("is no condition: its value must be true or false")
        # A name is used only if its first part stands in the text, so no more is prepared for a call.
        self._read = [
            (name, read) for name, (_, read) in _VARIABLES.items() if name.partition(".")[0] in text
        ]
        self._arguments = [(f"args.{name}", name) for name in arguments if name in text]

    @property
    def is_constant(self) -> bool:
        """Tell whether the value is the same for every call."""
        return not self._read and not self._arguments

    def reads(self, argument: str) -> bool:
        """Tell whether the text may name an argument; one that it does not name is of no use to it."""
        return any(name == argument for _, name in self._arguments)

    def values(self, facts: Facts) -> dict[str, Any]:
        """Return what the expression may look at, by name; an argument that is not there is left out."""
        found = {name: read(facts) for name, read in self._read}
        there = [one for one in self._arguments if one[1] in facts.arguments]
        return found | {variable: facts.arguments[name] for variable, name in there}

    def holds(self, facts: Facts) -> bool:
        """Tell whether the condition holds.

        Raises:
            Undecidable: an error of any kind, or a value that is neither true nor false.
        """
        try:
            data = {name: read(facts) for name, read in self._read}
            for variable, name in self._arguments:
                data[variable] = facts.arguments[name]
            result = self._program.eval(data=data)
            value = result.value()
        except Exception as error:
            raise Undecidable(type(error).__name__) from error
        # An error of CEL is a value too, of a type of its own.
        if value is not True and value is not False:
            raise Undecidable(str(value).partition(":")[0])
        return bool(value)


def _said(error: str) -> str:
    found = _ERROR.search(error)
    if found is None:
        return f"cannot be read: {error.splitlines()[0]}"
    line, column, message = found.groups()
    return f"column {column} of line {line}: {message}"
