"""REST: which operation of the policy a method and a path are."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.decision import Deny
from gateway.path_template import UnsafePath, is_parameter, path_segments
from gateway.policy import Policy
from gateway.route_table import RouteTable

_LONGEST_REMEMBERED: Final = 256
"""In bytes: a caller may send longer paths, and those cost memory."""


class Target(NamedTuple):
    """An operation, and what stands for the parameters of its path."""

    operation: str
    parameters: Mapping[str, str]


def target_of(policy: Policy, method: str, path: bytes) -> Target | Deny:
    """Return what a call is for; `path` is the raw one."""
    find = _remembered if len(path) <= _LONGEST_REMEMBERED else _found
    return find(policy.routes, method, path)


def _found(routes: RouteTable, method: str, path: bytes) -> Target | Deny:
    try:
        segments = path_segments(path)
    except UnsafePath as error:
        return Deny(
            400, "unsafe-path", str(error), "Send plain segments: no %, no ;, none empty, no dots alone."
        )
    operations = routes.at(segments)
    if not operations:
        return Deny(404, "unknown-path", "No operation stands at this path.", "See /openapi.json.")
    if method not in operations:
        allow = tuple(sorted(operations))
        reason = f"No operation stands at this path for {method}."
        return Deny(405, "method-not-allowed", reason, f"It takes {', '.join(allow)}.", allow=allow)
    name, template = operations[method]
    parameters = {
        written[1:-1]: segment
        for written, segment in zip(template.segments, segments, strict=True)
        if is_parameter(written)
    }
    return Target(name, parameters)


# What a path means depends on the policy's routes alone, which never change: another policy has others.
_remembered: Final = lru_cache(maxsize=4096)(_found)
