"""From a path to the operations that stand there, in time that grows with the path and not the policy."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.path_template import PathTemplate, is_parameter


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    operations: dict[str, tuple[str, PathTemplate]] = field(default_factory=dict)


class RouteTable:
    """Operation names by method and path template; no two may match the same method and path."""

    def __init__(self, routes: Iterable[tuple[str, PathTemplate, str]]) -> None:
        """Take (method, template, operation name) triples."""
        self._root = _Node()
        for method, template, operation in routes:
            self._place(template).operations[method] = operation, template

    def at(self, segments: tuple[str, ...]) -> dict[str, tuple[str, PathTemplate]]:
        """Return the operations at this path, method to name and template; empty where none matches."""
        nodes = [self._root]
        for segment in segments:
            next_nodes = []
            for node in nodes:
                if (literal := node.literals.get(segment)) is not None:
                    next_nodes.append(literal)
                if node.parameter is not None and segment:
                    next_nodes.append(node.parameter)
            nodes = next_nodes
        return {method: operation for node in nodes for method, operation in node.operations.items()}

    def _place(self, template: PathTemplate) -> _Node:
        node = self._root
        for segment in template.segments:
            if is_parameter(segment):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        return node
