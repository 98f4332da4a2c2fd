"""A tool as an MCP server describes it: what of it is pinned, its hash, and the check of arguments."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self, cast

import rfc8785
from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from gateway.arguments import UnusableArgument, pointer_parts

_PINNED: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_LONGEST: Final = 32 * 1024
_DEEPEST: Final = 48
_MOST_PARTS: Final = 4000
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OTHER_REFERENCES: Final = frozenset(
    {"$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef"}
)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,36}\Z")


class NoDefinition(Exception):
    """What a server lists is no definition of a tool that could be kept."""


class UnsafeSchema(Exception):
    """An `inputSchema` by which no call can be checked; the text says why."""


@dataclass(frozen=True)
class ToolDefinition:
    """What reaches the model of a tool, or decides on its arguments, and nothing else of what is listed."""

    document: Mapping[str, Any]
    sha256: str

    @classmethod
    def of(cls, listed: object) -> Self:
        """Return the definition that a server lists; a member that is null is one that is not there.

        The hash is SHA-256, in hex, over the canonical JSON (RFC 8785) of the pinned members.

        Raises:
            NoDefinition: it has no name, is too long, or has no canonical form.
        """
        if not isinstance(listed, dict) or not isinstance(listed.get("name"), str):
            raise NoDefinition("A tool is listed without a name.")
        document = {member: listed[member] for member in _PINNED if listed.get(member) is not None}
        try:
            canonical = rfc8785.dumps(document)
        except (ValueError, RecursionError) as error:
            raise NoDefinition("A tool's definition has no canonical form (RFC 8785).") from error
        if len(canonical) > _LONGEST:
            raise NoDefinition(f"A tool's definition is longer than {_LONGEST} bytes.")
        return cls(document, hashlib.sha256(canonical).hexdigest())

    @property
    def name(self) -> str:
        """Return the tool's name."""
        return str(self.document["name"])

    @property
    def input_schema(self) -> Mapping[str, Any]:
        """Return the schema of the arguments, of a definition that calls can be checked by."""
        schema: Mapping[str, Any] = self.document["inputSchema"]
        return schema

    @cached_property
    def fault(self) -> str | None:
        """Say why no call can be checked by the `inputSchema`; None if calls can be."""
        try:
            _ = self._validator
        except UnsafeSchema as error:
            return str(error)
        return None

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Check a call's arguments by the `inputSchema`.

        Raises:
            UnusableArgument: they are not as it says; no value is quoted.
            UnsafeSchema: nobody can tell.
        """
        error = next(self._validator.iter_errors(dict(arguments)), None)
        if error is not None:
            place = ".".join(_shown(part) for part in error.instance_path)
            where = f"The argument {place} is" if place else "The arguments are"
            raise UnusableArgument(f"{where} not as the tool's schema says: {_said(error)}.")

    @cached_property
    def _validator(self) -> Draft202012Validator:
        schema = self.document.get("inputSchema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise UnsafeSchema("inputSchema is no schema of an object")
        if schema.get("$schema", _DIALECT) != _DIALECT:
            raise UnsafeSchema(f"inputSchema is of a dialect other than {_DIALECT}")
        _check_bounds(schema)
        try:
            # Offline: nothing is fetched. These regular expressions take time linear in the text.
            return Draft202012Validator(schema, pattern_options=RegexOptions(), offline=True)
        except ValueError as error:
            raise UnsafeSchema(
                "inputSchema is no valid JSON Schema, or has a pattern not taken here"
            ) from error


def _check_bounds(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that is endless or huge once its references are followed, whatever its text's length.

    A server that is not trusted wrote it: references into itself without an end exhaust the validator's
    stack, and nested ones multiply its work.
    """
    parts, left = 0, [(cast(object, schema), 0, frozenset[str]())]
    while left:
        node, depth, references = left.pop()
        parts += 1
        if parts > _MOST_PARTS or depth > _DEEPEST:
            raise UnsafeSchema("inputSchema is too large or too deep once its references are followed")
        inner = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
        left.extend((one, depth + 1, references) for one in inner)
        if not isinstance(node, dict):
            continue
        if not _OTHER_REFERENCES.isdisjoint(node):
            raise UnsafeSchema("inputSchema has identifiers or dynamic references, which are not taken here")
        reference = node.get("$ref")
        if isinstance(reference, str):
            if reference in references:
                raise UnsafeSchema("inputSchema refers to itself without an end")
            left.append((_referred(schema, reference), depth + 1, references | {reference}))


def _referred(schema: Mapping[str, Any], reference: str) -> object:
    found: Any = schema
    try:
        for part in pointer_parts(reference.removeprefix("#")):
            found = found[int(part)] if isinstance(found, list) else found[part]
    except (KeyError, IndexError, TypeError, ValueError):
        raise UnsafeSchema("inputSchema refers to something that is not in it") from None
    return found


def _shown(part: str | int) -> str:
    """Return a part of a place in the arguments, unless the caller may have made it up at length."""
    text = str(part)
    return text if _PLAIN_NAME.match(text) else "..."


def _said(error: ValidationError) -> str:
    keyword = error.kind.name
    wanted = _shown(error.kind.property) if isinstance(error.kind, ValidationErrorKind.Required) else ""
    return f"{keyword} {wanted}".strip()
