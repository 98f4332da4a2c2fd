"""What the options of `python -m auth_server agents …` mean."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from auth_server.agent_details import RegistryError


def keys(file: str) -> list[Any]:
    """Read a JWK or a JWK set (RFC 7517 §4, §5) from a file; its keys are checked when registered."""
    try:
        document = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{file} cannot be read as JSON: {error}") from error
    listed = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        raise argparse.ArgumentTypeError(f"{file} holds no JWK and no JWK set")
    return listed


def scope(text: str) -> tuple[str, list[str]]:
    """Read `AUDIENCE=SCOPE…`."""
    audience, _, scopes = text.rpartition("=")
    if not audience or not scopes.split():
        raise argparse.ArgumentTypeError(f"{text} is not AUDIENCE=SCOPE")
    return audience, scopes.split()


def given_details(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those details of an agent that the options name."""
    names = ("name", "purpose", "owner", "owner_sub", "jwks_uri", "jwks", "max_seconds", "max_transfer_minor")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if arguments.scope:
        given["scopes"] = merged(arguments.scope)
    if arguments.customer or arguments.group:  # together they say whom it may act for
        given["customers"] = sorted(set(arguments.customer or ())) or None
        given["groups"] = sorted(set(arguments.group or ())) or None
    return given


def merged(scopes: list[tuple[str, list[str]]]) -> dict[str, list[str]]:
    """Return the scopes of each audience, each once."""
    by_audience: dict[str, list[str]] = {}
    for audience, names in scopes:
        by_audience[audience] = list(dict.fromkeys([*by_audience.get(audience, []), *names]))
    return by_audience


def changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `edit` is to change; keys of one kind take the place of the other.

    Raises:
        RegistryError: nothing, or two things that do not go together.
    """
    given = given_details(arguments)
    if "jwks" in given:
        given["jwks_uri"] = None
    elif "jwks_uri" in given:
        given["jwks"] = []
    if arguments.any_customer:
        if arguments.group:
            raise RegistryError("--any-customer and --group: say one of them")
        given["customers"] = given["groups"] = None
    if arguments.any_amount:
        given["max_transfer_minor"] = None
    if not given:
        raise RegistryError("say what is to change; --help lists what can be")
    return given
