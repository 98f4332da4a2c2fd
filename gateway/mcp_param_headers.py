"""Arguments that a tool wants repeated in header fields, `Mcp-Param-…` (MCP 2026-07-28, Streamable HTTP)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.mcp_field_value import decoded, encoded
from gateway.request_headers import RequestHeaders

_PREFIX: Final = "mcp-param-"
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")
_WHOLE: Final = re.compile(r"(-?[0-9]+)\.0+\Z")


def repeated_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that an `inputSchema` asks for, lower-case names to values as texts.

    An argument that is not there, or null, has no field. Annotations off the chain of `properties` mean
    nothing: a client leaves such a tool alone.
    """
    return {
        _PREFIX + name.lower(): _text(value)
        for name, value in _annotated(schema, arguments)
        if isinstance(value, str | int) and _TOKEN.match(name)
    }


def disagreeing(headers: RequestHeaders, wanted: Mapping[str, str]) -> str | None:
    """Return the name of a field that is missing, twice there, or says something else; None if all agree."""
    for name, text in wanted.items():
        values = headers.getlist(name)
        said = decoded(values[0]) if len(values) == 1 else None
        if said != text and (said is None or _WHOLE.sub(r"\1", said) != text):
            return name
    return next((name for name in headers if name.startswith(_PREFIX) and name not in wanted), None)


def written(wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    """Write the fields for the server, from the arguments that were judged."""
    return [(name, encoded(text)) for name, text in wanted.items()]


def _annotated(schema: object, value: object) -> Iterator[tuple[str, object]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for member, inner in properties.items() if isinstance(properties, dict) else ():
        held = value.get(member) if isinstance(value, dict) else None
        name = inner.get("x-mcp-header") if isinstance(inner, dict) else None
        if isinstance(name, str):
            yield name, held
        yield from _annotated(inner, held)


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
