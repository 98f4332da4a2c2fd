"""The policy as types: which operation a call is, and what that operation asks of a token."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from delegation.scope import Scope
from delegation.token import MAX_ACTOR_DEPTH
from gateway.arguments import Argument, ArgumentName, UnusableArgument, pointer_parts
from gateway.condition import Expression, Uncompilable, compiled
from gateway.path_template import PathTemplate
from gateway.rate import Rate
from gateway.route_table import RouteTable

OWN_PATHS: Final = (
    "/healthz",
    "/readyz",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/mcp",
    "/openapi.json",
    "/jwks.json",
    "/audit",
    "/access/v1/evaluation",
    "/.well-known/authzen-configuration",
)
"""What the gateway answers itself; no operation can stand there."""

_DEPTHS: Final = tuple(map(str, range(1, MAX_ACTOR_DEPTH + 1)))

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose calls may have a body; in the others it has no meaning (RFC 9110 §9.3.1, §9.3.5)."""

OperationName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=64)
]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,512}$")]


def _scope(text: object) -> Scope:
    scope = Scope.parse(text) if isinstance(text, str) else Scope()
    if not scope:
        raise ValueError("must name one scope or more, as text with a space between them")
    return scope


def _template(text: object) -> PathTemplate:
    return PathTemplate.parse(text if isinstance(text, str) else "")


def _depth(text: object) -> int:
    if not isinstance(text, str) or text not in _DEPTHS:
        raise ValueError(f"must be a whole number from 1 to {MAX_ACTOR_DEPTH}")
    return int(text)


def _flag(text: object) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


class Condition(BaseModel):
    """What must hold for a call, in CEL, and what the caller is told when it does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    require: Annotated[str, Field(min_length=1, max_length=2000)]
    otherwise: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,200}$")]


class Rates(BaseModel):
    """How often an operation may be done by one agent, and by one agent for one customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: Annotated[InstanceOf[Rate], BeforeValidator(Rate.parse)] | None = None
    customer: Annotated[InstanceOf[Rate], BeforeValidator(Rate.parse)] | None = None


class Operation(BaseModel):
    """One thing that can be done at the resource, and what a token needs for it.

    It is called over REST by `method` and `path`, over MCP by its `tool`, or by either; `tool_sha256` is the
    hash of the tool's definition that a person has accepted. `writes` is for a tool without a method: false
    says that it changes nothing. `scope` is needed whole. `actors` are those who may do it for a customer,
    by their `act.sub`; the actor chain has at most `max_depth` of them. `conditions` look at the
    `arguments`. In the mode `observe` the conditions are recorded and not enforced; everything else is
    enforced in either mode.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    path: Annotated[InstanceOf[PathTemplate], BeforeValidator(_template)] | None = None
    tool: ToolName | None = None
    tool_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    writes: Annotated[bool, BeforeValidator(_flag)] | None = None
    resource: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = "resource"
    scope: Annotated[InstanceOf[Scope], BeforeValidator(_scope)]
    actors: Annotated[frozenset[Identifier], Field(min_length=1)]
    max_depth: Annotated[int, BeforeValidator(_depth)] = MAX_ACTOR_DEPTH
    rate: Rates = Rates()
    mode: Literal["enforce", "observe"] = "enforce"
    arguments: Mapping[ArgumentName, Argument] = {}
    conditions: tuple[Condition, ...] = ()

    @field_validator("arguments")
    @classmethod
    def _arguments_stand_there(
        cls, arguments: Mapping[str, Argument], info: ValidationInfo
    ) -> Mapping[str, Argument]:
        path, method = info.data.get("path"), info.data.get("method")
        for name, argument in arguments.items():
            fault = _fault(name, argument, path, method)
            if fault:
                raise PydanticCustomError("argument", "{fault}", {"fault": fault, "at": (name,)})
        return arguments

    @field_validator("conditions")
    @classmethod
    def _conditions_compile(
        cls, conditions: tuple[Condition, ...], info: ValidationInfo
    ) -> tuple[Condition, ...]:
        if "arguments" in info.data:
            for number, condition in enumerate(conditions):
                try:
                    compiled(condition.require, _types(info.data["arguments"]))
                except Uncompilable as error:
                    context = {"fault": str(error), "at": (number, "require")}
                    raise PydanticCustomError("condition", "{fault}", context) from error
        return conditions

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        fault = _incomplete(self)
        if fault:
            raise PydanticCustomError("operation", "{fault}", {"fault": fault})
        return self

    @cached_property
    def compiled(self) -> tuple[Expression, ...]:
        """Return the conditions' expressions, in order."""
        return tuple(compiled(one.require, _types(self.arguments)) for one in self.conditions)

    @cached_property
    def reads_body(self) -> bool:
        """Tell whether the decision needs the call's body."""
        return any(argument.place == "body" for argument in self.arguments.values())

    @cached_property
    def changes(self) -> bool:
        """Tell whether a call may change something at the resource: so, unless it is known not to."""
        return self.method != "GET" if self.method else self.writes is not False

    def model_post_init(self, _context: object) -> None:
        """Compile now: nothing is parsed for a call."""
        _ = self.compiled, self.reads_body


def _incomplete(operation: Operation) -> str | None:
    if operation.method is None and operation.path is None and operation.tool is None:
        return "needs method and path, or tool, or all of them"
    if operation.method is None and operation.path is not None:
        return "'method' is missing"
    if operation.path is None and operation.method is not None:
        return "'path' is missing"
    if operation.tool is None and operation.tool_sha256 is not None:
        return "'tool' is missing, whose definition tool_sha256 accepts"
    if operation.writes is not None and operation.method is not None:
        return "leave writes out: the method says it"
    return None


def _types(arguments: Mapping[str, Argument]) -> tuple[tuple[str, str], ...]:
    return tuple((name, argument.type) for name, argument in arguments.items())


def _fault(name: str, argument: Argument, path: PathTemplate | None, method: str | None) -> str | None:
    if argument.place == "path" and (path is None or (argument.name or name) not in path.parameters):
        return f"the path has no parameter {{{argument.name or name}}}"
    if argument.place == "path" and argument.default is not None:
        return "what stands in the path is never absent: leave the default out"
    if argument.place == "body" and method is not None and method not in WITH_BODY:
        return f"{method} has no body"
    try:
        if argument.place == "body":
            pointer_parts(argument.name or f"/{name}")
        if argument.default is not None:
            argument.of_text(argument.default)
    except UnusableArgument:
        return f"the default is no {argument.type}"
    except ValueError as error:
        return f"name {error}"
    return None


class Policy(BaseModel):
    """Every operation that is allowed at one resource; what is not in it is refused.

    `audience` is the resource's identifier in a token's `aud`, `name` what people call it. `scopes` are
    those that the authorization server issues for this resource: each must be needed somewhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    audience: Identifier
    name: Annotated[str, Field(min_length=1)]
    scopes: Annotated[InstanceOf[Scope], BeforeValidator(_scope)] | None = None
    operations: Annotated[Mapping[OperationName, Operation], Field(min_length=1)]
    _version: str = PrivateAttr("")

    @classmethod
    def of_file(cls, document: object, version: str) -> "Policy":
        """Return the policy that a file's document is, with the file's version.

        Raises:
            ValidationError: it is none.
        """
        policy = cls.model_validate(document)
        policy._version = version
        return policy

    @cached_property
    def version(self) -> str:
        """Return the SHA-256 of the policy file in hex; empty for a policy that came from no file."""
        return self._version

    @cached_property
    def routes(self) -> RouteTable:
        """Return the operations by method and path."""
        return RouteTable(
            (one.method, one.path, name)
            for name, one in self.operations.items()
            if one.method is not None and one.path is not None
        )

    @cached_property
    def tools(self) -> Mapping[str, str]:
        """Return the operations' names by their tools'."""
        return {one.tool: name for name, one in self.operations.items() if one.tool is not None}

    @property
    def has_limits(self) -> bool:
        """Tell whether calls of some operation are counted."""
        return any(one.rate.agent or one.rate.customer for one in self.operations.values())

    @property
    def scope(self) -> Scope:
        """Return every scope that some operation needs."""
        return Scope(token for operation in self.operations.values() for token in operation.scope)


def contested_routes(operations: Mapping[str, Operation]) -> Iterator[tuple[str, str]]:
    """Name each operation whose route is not its own alone, and why: so order in the file never decides."""
    routed = [(name, one, one.path) for name, one in operations.items() if one.path is not None]
    for name, _, path in routed:
        for own_path in OWN_PATHS:
            if path.overlaps(PathTemplate.parse(own_path)):
                yield name, f"the gateway itself answers {own_path}"
    for (first, one, one_path), (second, two, two_path) in combinations(routed, 2):
        if one.method == two.method and one_path.overlaps(two_path):
            yield second, f"some {two.method} calls of {two_path} would also be {first} ({one_path})"


def contested_tools(operations: Mapping[str, Operation]) -> Iterator[tuple[str, str]]:
    """Name each operation whose tool another one has already, and why that cannot be."""
    first: dict[str, str] = {}
    for name, operation in operations.items():
        if operation.tool is not None and first.setdefault(operation.tool, name) != name:
            yield name, f"{operation.tool} is already the tool of {first[operation.tool]}"
