"""The operations behind the door as an OpenAPI document, from the policy that decides on them."""

from typing import Any, Final

from delegation.problem import SCHEMA
from gateway.path_template import PathTemplate
from gateway.policy import WITH_BODY, Operation, Policy

_PROBLEM: Final = SCHEMA | {
    "properties": SCHEMA["properties"]
    | {
        "reason": {"type": "string"},
        "operation": {"type": ["string", "null"]},
        "decision_id": {"type": "string"},
    },
}
# What needs no percent-encoding in any client's hands, and is no dot segment.
_SEGMENT: Final = {"type": "string", "pattern": "^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$"}
_REFUSALS: Final = {
    "400": "The request could be read in more than one way, or the resource does not take it.",
    "401": "No token, or none that is good here (RFC 6750).",
    "403": "The token names no actor, one that may not do this, or too little scope; or a condition fails.",
    "404": "Nothing stands at this path, or nothing that is the customer's.",
    "405": "The path takes other methods.",
    "408": "The body did not come in time.",
    "409": "The resource is in another state.",
    "413": "The body is too long.",
    "415": "The resource does not take this media type.",
    "422": "The policy or the resource does not take this content.",
    "429": "The agent has done this too often; Retry-After says when it may again.",
    "431": "The header fields are too long.",
    "502": "The resource cannot be reached or gave no complete answer.",
    "503": "Keys or policy cannot be had, the decision cannot be recorded, or the resource is overloaded.",
    "504": "The resource did not answer in time.",
}


def openapi(policy: Policy, server_url: str) -> dict[str, Any]:
    """Return an OpenAPI 3.1 document: who needs which scope for what, and every answer there can be.

    It names no actor and nothing behind the gateway. What the bodies hold is the resource's to say.
    """
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in policy.operations.items():
        if operation.path is not None and operation.method is not None:
            described = _operation(name, operation, operation.path)
            paths.setdefault(str(operation.path), {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{policy.name}, through the agent gateway", "version": "1"},
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {
                "delegation_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _operation(name: str, operation: Operation, path: PathTemplate) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    done: dict[str, Any] = {
        "2XX": {"description": "The resource's answer.", "content": {"application/json": {}}}
    }
    described: dict[str, Any] = {
        "operationId": name,
        "security": [{"delegation_token": sorted(operation.scope)}],
        "parameters": [
            {"name": parameter, "in": "path", "required": True, "schema": _SEGMENT}
            for parameter in path.parameters
        ],
        "responses": done
        | {status: {"description": text, "content": problem} for status, text in _REFUSALS.items()},
    }
    if operation.method in WITH_BODY:
        described["requestBody"] = {"content": {"application/json": {}}}
    return described
