"""MCP: which operation of the policy a message is, and the decision on what is no operation."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from delegation.token import AccessToken
from gateway.arguments import UnusableArgument, tool_arguments
from gateway.condition import Value
from gateway.decision import Decision, Deny, Permit, Request, refusal_of_token
from gateway.path_template import PathTemplate, UnsafePath, is_parameter, path_segments
from gateway.policy import Operation, Policy
from gateway.tool_definition import ToolDefinition

_CALL_PARAMS: Final = frozenset({"name", "arguments", "_meta"})
_NEXT_STEP: Final = "Call one of the tools that tools/list shows, with its name and its arguments."


def callable_tools(policy: Policy, token: AccessToken, now: datetime) -> list[str]:
    """Return the tools that a caller may call for all that its token says, in the order of the policy."""
    return [
        tool
        for tool, name in policy.tools.items()
        if refusal_of_token(policy, Request(name, token, now, {})) is None
    ]


def decide_on_protocol(policy: Policy, method: str, token: AccessToken, now: datetime) -> Decision:
    """Decide on a method that is no operation: whoever may call a tool, or may with more scope, may talk.

    A pure function, like `decide`, of which it asks what is asked of the token.
    """
    operation = "mcp." + re.sub(r"[^a-z]", "_", method)
    refusals = [refusal_of_token(policy, Request(name, token, now, {})) for name in policy.tools.values()]
    if any(refusal is None or refusal.challenge is not None for refusal in refusals):
        return Permit(operation, f"{token.actors[0]} may call tools here.")
    if not refusals:
        return Deny(404, "no-tools", "The policy has no tools.", "Use the REST operations of /openapi.json.")
    first = next(refusal for refusal in refusals if refusal is not None)
    reason = "No tool may be called by this actor." if token.actors else first.reason
    return Deny(first.status, first.kind, reason, first.next_step)


def called_tool(policy: Policy, params: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | Deny:
    """Return the tool that is called and its arguments, or why it is none that is known."""
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, dict | None):
        reason = "The call has no name, or its arguments are no object."
        return Deny(400, "invalid-params", reason, _NEXT_STEP)
    if not _CALL_PARAMS.issuperset(params):
        # What nobody has judged does not go on: no input responses, no state, no task.
        return Deny(400, "invalid-params", "The call has more than a name and arguments.", _NEXT_STEP)
    if name not in policy.tools:
        return deny_unknown_tool()
    return name, arguments or {}


def deny_unknown_tool() -> Deny:
    """Refuse the call of a tool that the policy does not name."""
    return Deny(400, "unknown-tool", "The policy has no such tool.", _NEXT_STEP)


def deny_quarantined(operation: str, tool: str) -> Deny:
    """Refuse the call of a tool whose definition nobody has accepted."""
    reason = f"The tool {tool} is not what was accepted: its definition is new or has changed."
    next_step = "Nothing was done. Ask who runs this gateway to look at it: tools show, tools accept."
    return Deny(403, "tool-quarantined", reason, next_step, operation)


def arguments_of_call(
    operation: Operation, definition: ToolDefinition, arguments: Mapping[str, Any]
) -> dict[str, Value] | UnusableArgument:
    """Return what the policy's conditions look at, of arguments that are as the tool's schema says.

    The definition is one that calls can be checked by.
    """
    try:
        definition.check(arguments)
    except UnusableArgument as error:
        return error
    return operation_arguments(operation, arguments)


def operation_arguments(
    operation: Operation, arguments: Mapping[str, Any]
) -> dict[str, Value] | UnusableArgument:
    """Return what the policy's conditions look at, of a tool's arguments."""
    try:
        if operation.path is not None:
            path_of(operation.path, arguments)
        return tool_arguments(operation.arguments, arguments)
    except UnusableArgument as error:
        return error


def path_of(template: PathTemplate, arguments: Mapping[str, Any]) -> str:
    """Return the path of the REST call that a tool's call is the like of.

    Raises:
        UnusableArgument: an argument is none that could stand there.
    """
    return "".join(
        f"/{_segment(one[1:-1], arguments) if is_parameter(one) else one}" for one in template.segments
    )


def resource_of(operation: Operation, arguments: Mapping[str, Any]) -> str | None:
    """Return the path for the record, even of a call that is refused; None where there is none."""
    if operation.path is None:
        return None
    try:
        return path_of(operation.path, arguments)
    except UnusableArgument:
        return "".join(f"/{'...' if is_parameter(one) else one}" for one in operation.path.segments)


def _segment(name: str, arguments: Mapping[str, Any]) -> str:
    value = arguments.get(name)
    text = str(value) if type(value) is int else value
    try:
        if isinstance(text, str) and path_segments(f"/{text}".encode()) == (text,) and text:
            return text
    except (UnsafePath, UnicodeEncodeError):
        pass
    raise UnusableArgument(f"The argument {name} is missing, or could not stand in a path.")
