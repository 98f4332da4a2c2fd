"""YAML as plain values of text, mapping and list, with the line that each one stands on."""

from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.resolver import BaseResolver

Location = tuple[int | str, ...]
"""Keys and indexes from the document's root to a value."""

_PLAIN_TAGS: Final = frozenset(
    {BaseResolver.DEFAULT_SCALAR_TAG, BaseResolver.DEFAULT_SEQUENCE_TAG, BaseResolver.DEFAULT_MAPPING_TAG}
)
"""What a value has that names no tag."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in a file; lines count from 1."""

    line: int
    message: str


class NotYaml(Exception):
    """A text that is not one YAML document; `fault` says where."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(slots=True)
class YamlDocument:
    """One document. Every scalar is text, so that no value changes its type by how it is spelt.

    `faults` holds what YAML takes but nobody should write: repeated keys, aliases, tags, keys that are not
    text.
    """

    value: Any = None
    faults: list[Fault] = field(default_factory=list)
    _lines: dict[Location, int] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, text: str) -> "YamlDocument":
        """Read a text.

        Raises:
            NotYaml: its syntax is broken, or it is more than one document.
        """
        for number, written in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            # YAML ends a line, and a comment, at characters at which editors and reviews show no end.
            if not written.removesuffix("\r").replace("\t", " ").isprintable():
                raise NotYaml(Fault(number, "not YAML: it has a character that cannot be seen"))
        document = cls()
        try:
            root = yaml.compose(text, Loader=yaml.BaseLoader)
            document.value = document._value_of(root, ()) if root else None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise NotYaml(Fault(line, f"not YAML: {error.problem}")) from error
        except RecursionError as error:
            raise NotYaml(Fault(1, "not YAML that can be read: it is nested too deeply")) from error
        return document

    def line(self, location: Location) -> int:
        """Return the line of a value, or of the nearest thing around a value that is not there."""
        while location and location not in self._lines:
            location = location[:-1]
        return self._lines.get(location, 1)

    def _value_of(self, node: yaml.Node, location: Location) -> Any:  # noqa: ANN401 - YAML has no schema here
        self._lines.setdefault(location, node.start_mark.line + 1)
        if id(node) in self._seen:
            # An alias is the anchor's own node: expanded, it could be endless, and hides who may do what.
            self._blame(node, "aliases are not read here: write the value out")
            return None
        self._seen.add(id(node))
        if node.tag not in _PLAIN_TAGS:
            self._blame(node, "tags are not read here: write the value alone")
        if isinstance(node, yaml.MappingNode):
            return self._mapping_of(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._value_of(item, (*location, index)) for index, item in enumerate(node.value)]
        return node.value

    def _mapping_of(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                self._blame(key_node, "a key must be text")
                continue
            if key in found:
                self._blame(key_node, f"{key!r} is already on line {self.line((*location, key))}")
                continue
            self._lines[*location, key] = key_node.start_mark.line + 1
            found[key] = self._value_of(value_node, (*location, key))
        return found

    def _blame(self, node: yaml.Node, message: str) -> None:
        self.faults.append(Fault(node.start_mark.line + 1, message))
