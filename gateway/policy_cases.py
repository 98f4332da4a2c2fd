"""A table of cases for a policy: calls, and what must be decided on them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope
from delegation.token import AccessToken, Actor, DelegationToken
from gateway.arguments import UnusableArgument, json_object, read_arguments
from gateway.decision import Decision, Deny, Request, decide
from gateway.mcp_decision import called_tool, operation_arguments
from gateway.mcp_revision import CALL
from gateway.policy import Policy
from gateway.recorded import outcome
from gateway.rest import target_of
from gateway.yaml_lines import Fault, NotYaml, YamlDocument

_LIFE: timedelta = timedelta(seconds=300)


def _time(text: object) -> datetime:
    time = datetime.fromisoformat(text) if isinstance(text, str) else None
    if time is None or time.tzinfo is None:
        raise ValueError("must be a time with its zone, like 2026-06-15T12:00:00Z")
    return time.astimezone(UTC)


Time = Annotated[datetime, BeforeValidator(_time)]


class CaseToken(BaseModel):
    """What a case's token says; `act` is the actor chain, the current actor first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sub: str = "customer@example.com"
    act: tuple[str, ...] = ()
    scope: str = ""
    client_id: str | None = None
    max_amount_minor: int | None = None
    issued_at: Time | None = None


class Case(BaseModel):
    """One call and the decision on it: `permit`, or `deny` and the kind of the refusal.

    `call` is a method and a path, with the `body` of the call; or `tools/call` and a tool, with its
    `arguments` in JSON. Cases begin where a tool is accepted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    call: Annotated[str, StringConstraints(pattern=r"^([A-Z]+ /\S*|tools/call \S+)$")]
    token: CaseToken
    time: Time = datetime(2026, 6, 15, 12, tzinfo=UTC)
    body: str | None = None
    arguments: str | None = None
    expect: Annotated[str, StringConstraints(pattern=r"^(permit|deny [a-z-]+|permit observed [a-z-]+)$")]


class Cases(BaseModel):
    """The whole table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: tuple[Case, ...]


class UnsoundCases(Exception):
    """A table that cannot be read; its text has a line for each fault."""


def failures(policy: Policy, file: Path) -> tuple[int, list[Fault]]:
    """Return how many cases a table has, and those in which the policy decides otherwise.

    Raises:
        UnsoundCases: the file is no table of cases.
    """
    try:
        document = YamlDocument.read(file.read_text("utf-8"))
        cases = Cases.model_validate(document.value).cases
    except (OSError, UnicodeDecodeError) as error:
        raise UnsoundCases(f"{file}:1: cannot be read") from error
    except NotYaml as error:
        raise UnsoundCases(f"{file}:{error.fault.line}: {error.fault.message}") from error
    except ValidationError as error:
        lines = (
            f"{file}:{document.line(one['loc'])}: {_place(one['loc'])}: {one['msg']}"
            for one in error.errors()
        )
        raise UnsoundCases("\n".join(lines)) from error
    if document.faults or not cases:
        faults = document.faults or [Fault(1, "has no cases")]
        raise UnsoundCases("\n".join(f"{file}:{one.line}: {one.message}" for one in faults))
    return len(cases), list(_failed(policy, document, cases))


def decision_of(policy: Policy, case: Case) -> Decision:
    """Decide on a case as the door would; limits have room."""
    method, _, address = case.call.partition(" ")
    if method == CALL:
        return _decision_of_tool(policy, case, address)
    path, _, query = address.partition("?")
    target = target_of(policy, method, path.encode())
    if isinstance(target, Deny):
        return target
    body = None if case.body is None else case.body.encode()
    declared = policy.operations[target.operation].arguments
    arguments: Any
    try:
        arguments = read_arguments(declared, target.parameters, query.encode(), body, "application/json")
    except UnusableArgument as error:
        arguments = error
    return decide(policy, Request(target.operation, _token(case, policy), case.time, arguments))


def _decision_of_tool(policy: Policy, case: Case, tool: str) -> Decision:
    try:
        document = json_object((case.arguments or "{}").encode(), "application/json")
    except UnusableArgument as error:
        return Deny(400, "invalid-request", str(error), "")
    found = called_tool(policy, {"name": tool, "arguments": document})
    if isinstance(found, Deny):
        return found
    name = policy.tools[tool]
    arguments = operation_arguments(policy.operations[name], document)
    return decide(policy, Request(name, _token(case, policy), case.time, arguments))


def _failed(policy: Policy, document: YamlDocument, cases: tuple[Case, ...]) -> Iterator[Fault]:
    for number, case in enumerate(cases):
        decision = decision_of(policy, case)
        found = " ".join(filter(None, outcome(decision)))
        if found != case.expect:
            text = f"{case.name}: expected {case.expect}, found {found}: {decision.reason}"
            yield Fault(document.line(("cases", number, "expect")), text)


def _token(case: Case, policy: Policy) -> AccessToken:
    token, actor = case.token, None
    for sub in reversed(token.act):
        actor = Actor(sub, actor)
    issued_at = token.issued_at or case.time
    common: Any = {
        "issuer": "",
        "subject": token.sub,
        "audience": (policy.audience,),
        "client_id": token.client_id or (token.act[0] if token.act else "client"),
        "scope": Scope.parse(token.scope),
        "jti": "case",
        "issued_at": issued_at,
        "expires_at": issued_at + _LIFE,
        "account_transfer": AccountTransfer(token.max_amount_minor) if token.max_amount_minor else None,
    }
    return DelegationToken(**common, act=actor) if actor else AccessToken(**common)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the table"
