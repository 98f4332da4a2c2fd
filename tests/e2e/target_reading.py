"""Reading a target file: the environment's values put in, every fault named."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tests.e2e.target_file import ActorTokenFile, OperationFile, SubjectTokenFile, TargetFile
from tests.e2e.verdict import UnsoundRun

_VARIABLE: Final = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def read_target_file(path: Path, environment: Mapping[str, str] = os.environ) -> TargetFile:
    """Read a target file; `${NAME}` and `${NAME:-default}` in its strings come from the environment.

    Raises:
        UnsoundRun: it cannot be read, is no TOML, or does not say what is needed; with every fault named.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnsoundRun(f"the target file {path} cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnsoundRun(f"{path} is no TOML: {error}") from error
    try:
        target = TargetFile.model_validate(_expanded(document, environment))
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise UnsoundRun("\n".join([f"{path} does not describe a target:", *faults])) from error
    faults = list(_gaps(target))
    if faults:
        raise UnsoundRun("\n".join([f"{path} does not describe a target:", *(f"  {one}" for one in faults)]))
    return target


def secret(name: str, environment: Mapping[str, str], what: str) -> str:
    """Return a secret from the environment.

    Raises:
        UnsoundRun: it is not there.
    """
    value = environment.get(name, "")
    if not value:
        raise UnsoundRun(f"the environment variable {name} must hold {what}")
    return value


def _expanded(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _expanded(one, environment) for name, one in value.items()}
    if isinstance(value, list):
        return [_expanded(one, environment) for one in value]
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        found = environment.get(match["name"]) or match["default"]
        if found is None:
            raise UnsoundRun(
                f"the environment variable {match['name']} is not set, and the target file uses it"
            )
        return found

    return _VARIABLE.sub(look_up, value)


def _gaps(target: TargetFile) -> list[str]:
    """Return what the sections lack of one another."""
    faults = []
    if target.authorization_server is None and target.resource is None:
        faults.append("name an [authorization_server], a [resource], or both")
    if target.authorization_server is not None:
        if "agent" not in target.clients:
            faults.append("clients.agent is missing: the client that exchanges tokens")
        if target.subject_token is None:
            faults.append("[subject_token] is missing: how the suite comes by the token that is exchanged")
        if target.exchange is None:
            faults.append(
                "[exchange] is missing: the legitimate exchange that every check changes in one way"
            )
        if target.actor_token is None and "actor_token" not in target.not_offered:
            faults.append("[actor_token] is missing; a server without one says so in [not_offered]")
    for name, client in target.clients.items():
        needed = "key_env" if client.authentication == "private_key_jwt" else "secret_env"
        if getattr(client, needed) is None:
            faults.append(f"clients.{name}.{needed} is missing: the variable with what it authenticates with")
    faults += [*_source_gaps(target), *_mcp_gaps(target)]
    if target.minting and not (
        target.minting.key_env or target.minting.command or target.minting.jwks_listen
    ):
        faults.append("minting needs key_env, command, or jwks_listen for a key that the suite makes")
    return faults


def _mcp_gaps(target: TargetFile) -> list[str]:
    if target.resource is None or target.resource.mcp is None:
        return []
    faults = []
    if "mcp" in target.not_offered:
        faults.append("[resource.mcp] is there, and [not_offered] says that MCP is not: take one of them out")
    if target.backend:
        faults.append("[backend] speaks no MCP: with [resource.mcp], a backend of your own has to be there")
    for name in ("read", "other_scope", "write"):
        operation: OperationFile | None = getattr(target.resource, name)
        if operation is not None and operation.tool is None:
            faults.append(f"resource.{name}.tool is missing: the tool that is this operation by MCP")
    return faults


def _source_gaps(target: TargetFile) -> list[str]:
    faults = []
    if target.sign_on and "app" not in target.clients:
        faults.append("clients.app is missing: the client that signs customers on")
    for name in ("subject_token", "actor_token"):
        section: SubjectTokenFile | ActorTokenFile | None = getattr(target, name)
        if section is None:
            continue
        if section.source == "command" and not section.command:
            faults.append(f"{name}.command is missing: the program that prints the token")
        if section.source == "environment" and not section.token_env:
            faults.append(f"{name}.token_env is missing: the variable with the token")
    subject = target.subject_token
    if subject and subject.source == "sign_on" and target.sign_on is None:
        faults.append("[sign_on] is missing: where and as whom the suite signs on")
    if subject and subject.source == "mint" and not (target.minting and target.minting.subject_tokens):
        faults.append("[minting] with subject_tokens = true is missing: subject_token.source is mint")
    if subject and subject.source == "client_credentials" and subject.client not in target.clients:
        faults.append(f"clients.{subject.client} is missing: subject_token.source is client_credentials")
    return faults
