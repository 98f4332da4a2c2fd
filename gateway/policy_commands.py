"""What the command line does with policies."""

import json
import sys
from pathlib import Path
from typing import Any

from gateway.policy_file import UnsoundPolicy, reviewed_policy
from gateway.policy_review import warnings


def check_policy(path: Path, openapi: Path | None, *, strict: bool) -> int:
    """Tell what is wrong with a policy, and what in it is probably not meant; 0 if it can be used."""
    try:
        policy, document = reviewed_policy(path)
        resource = _openapi(openapi) if openapi else None
    except (UnsoundPolicy, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found = warnings(policy, document, resource)
    for warning in found:
        sys.stderr.write(f"{path}:{warning.line}: warning: {warning.message}\n")
    sys.stdout.write(f"{path}: sound, {len(policy.operations)} operations, version {policy.version}\n")
    return 1 if found and strict else 0


def _openapi(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: is no JSON that can be read") from error
    if not isinstance(document, dict) or "paths" not in document:
        raise ValueError(f"{path}: is no OpenAPI document")
    return document
