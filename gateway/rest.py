"""REST: which operation of the policy a method and a path are."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.decision import Deny
from gateway.path_template import UnsafePath, is_parameter, path_segments
from gateway.policy import Policy


class Target(NamedTuple):
    """An operation, and what stands for the parameters of its path."""

    operation: str
    parameters: Mapping[str, str]


def target_of(policy: Policy, method: str, path: bytes) -> Target | Deny:
    """Return what a call is for; `path` is the raw one."""
    try:
        segments = path_segments(path)
    except UnsafePath as error:
        return Deny(
            400, "unsafe-path", str(error), "Send plain segments: no %, no ;, none empty, no dots alone."
        )
    operations = policy.routes.at(segments)
    if not operations:
        return Deny(404, "unknown-path", "No operation stands at this path.", "See /openapi.json.")
    if method not in operations:
        allow = tuple(sorted(operations))
        reason = f"No operation stands at this path for {method}."
        return Deny(405, "method-not-allowed", reason, f"It takes {', '.join(allow)}.", allow=allow)
    name = operations[method]
    template = policy.operations[name].path
    parameters = {
        written[1:-1]: segment
        for written, segment in zip(template.segments if template else (), segments, strict=True)
        if is_parameter(written)
    }
    return Target(name, parameters)
