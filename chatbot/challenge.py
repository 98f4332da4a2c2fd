"""Step-up by challenge: what a refusal for too little scope demands, and whether the agent asks for it."""

import re
from collections.abc import Iterable
from typing import Final

from delegation.scope import Scope

_FORBIDDEN: Final = 403
_BEARER: Final = re.compile(r"\s*bearer\s+(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"([^"\\]*)"|([^\s,"]+))\s*(?:,\s*|\Z)')


def demanded_scope(status: int, fields: Iterable[str]) -> Scope | None:
    """Return the scope that a 403 `insufficient_scope` names (RFC 6750 §3.1); None if it is not one.

    `fields` are its `WWW-Authenticate` fields. Of a field only the Bearer challenge that it begins with is
    read, as far as it is well-formed.
    """
    if status != _FORBIDDEN:
        return None
    for field in fields:
        bearer = _BEARER.fullmatch(field)
        parameters = _parameters(bearer[1]) if bearer else {}
        if parameters.get("error") == "insufficient_scope" and "scope" in parameters:
            try:
                return Scope.parse(parameters["scope"])
            except ValueError:
                return None
    return None


def widened(asked: Scope, demanded: Scope | None, own: Scope) -> Scope | None:
    """Return the scope to ask for once more, when a call with `asked` was refused; None: there is none.

    `own` is what the agent may ask for at all. A challenge that names anything else is not followed, not even
    in part: that would not suffice, and nobody but the agent says what the agent may ask for.
    """
    if demanded is None or not demanded - asked or demanded - own:
        return None
    return Scope(asked | demanded)


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while match := _PARAMETER.match(text, position):
        name, quoted, token = match.groups()
        if name.lower() in found:  # a parameter must not occur twice (RFC 9110 §11.2)
            return {}
        found[name.lower()] = token if quoted is None else quoted
        position = match.end()
    return found
