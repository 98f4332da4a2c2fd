"""The policy as types: which operation a call is, and what that operation asks of a token."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, StringConstraints

from delegation.scope import Scope
from gateway.path_template import PathTemplate
from gateway.route_table import RouteTable

OWN_PATHS: Final = (
    "/healthz",
    "/readyz",
    "/.well-known/oauth-protected-resource",
    "/openapi.json",
    "/jwks.json",
    "/audit",
)
"""What the gateway answers itself; no operation can stand there."""

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose calls may have a body; in the others it has no meaning (RFC 9110 §9.3.1, §9.3.5)."""

OperationName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=64)
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,512}$")]


def _scope(text: object) -> Scope:
    scope = Scope.parse(text) if isinstance(text, str) else Scope()
    if not scope:
        raise ValueError("must name one scope or more, as text with a space between them")
    return scope


def _template(text: object) -> PathTemplate:
    return PathTemplate.parse(text if isinstance(text, str) else "")


class Operation(BaseModel):
    """One thing that can be done at the resource, and what a token needs for it.

    `scope` is needed whole. `actors` are those who may do it for a customer, by their `act.sub`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[InstanceOf[PathTemplate], BeforeValidator(_template)]
    scope: Annotated[InstanceOf[Scope], BeforeValidator(_scope)]
    actors: Annotated[frozenset[Identifier], Field(min_length=1)]


class Policy(BaseModel):
    """Every operation that is allowed at one resource; what is not in it is refused.

    `audience` is the resource's identifier in a token's `aud`, `name` what people call it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: Identifier
    name: Annotated[str, Field(min_length=1)]
    operations: Annotated[Mapping[OperationName, Operation], Field(min_length=1)]

    @cached_property
    def routes(self) -> RouteTable:
        """Return the operations by method and path."""
        return RouteTable((one.method, one.path, name) for name, one in self.operations.items())

    @property
    def scope(self) -> Scope:
        """Return every scope that some operation needs."""
        return Scope(token for operation in self.operations.values() for token in operation.scope)


def contested_routes(operations: Mapping[str, Operation]) -> Iterator[tuple[str, str]]:
    """Name each operation whose route is not its own alone, and why: so order in the file never decides."""
    for name, operation in operations.items():
        for own_path in OWN_PATHS:
            if operation.path.overlaps(PathTemplate.parse(own_path)):
                yield name, f"the gateway itself answers {own_path}"
    for (first, one), (second, two) in combinations(operations.items(), 2):
        if one.method == two.method and one.path.overlaps(two.path):
            yield second, f"some {two.method} calls of {two.path} would also be {first} ({one.path})"
