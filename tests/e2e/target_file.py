"""The target file: a deployment, described in TOML. `docs/conformance.md` explains each field."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from tests.e2e.rules import Feature, rules
from tests.e2e.verdict import UnsoundRun

_VARIABLE: Final = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?::-(?P<default>[^}]*))?\}")

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#]+[^\s#]*$")]
MaybeUrl = Annotated[Url | None, BeforeValidator(lambda value: value or None)]
Text = Annotated[str, StringConstraints(min_length=1)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


def _rule_id(value: str) -> str:
    if value not in rules():
        raise ValueError(f"there is no rule {value}")
    return value


RuleId = Annotated[str, AfterValidator(_rule_id)]


class Section(BaseModel):
    """A table of the file; a field that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AuthorizationServerFile(Section):
    """`[authorization_server]`: the issuer, and the endpoints that its metadata does not name rightly."""

    issuer: Url
    metadata_url: Url | None = None
    authorization_endpoint: Url | None = None
    token_endpoint: Url | None = None
    introspection_endpoint: Url | None = None
    revocation_endpoint: Url | None = None
    end_session_endpoint: Url | None = None
    jwks_uri: Url | None = None
    own_interfaces: tuple[Url, ...] = ()
    grants_endpoint: Url | None = None
    records_endpoint: Url | None = None
    revocation_bound_seconds: float = 1.0


class ClientFile(Section):
    """`[clients.NAME]`: a client and how it authenticates; `agent` is required."""

    client_id: Text
    authentication: Literal["private_key_jwt", "client_secret_basic", "client_secret_post"]
    key_env: Variable | None = None
    secret_env: Variable | None = None
    assertion_audience: Text | tuple[Text, ...] | None = None


class SignOnFile(Section):
    """`[sign_on]`: how the suite's own driver signs customers on at pages like ours."""

    redirect_uri: Url
    password_env: Variable
    customer: Text
    other_customer: Text
    scope: Text
    app_resource: Text | None = None


class SubjectTokenFile(Section):
    """`[subject_token]`: how the suite comes by the token that is exchanged."""

    source: Literal["sign_on", "command", "environment", "client_credentials", "mint"]
    command: tuple[str, ...] = ()
    token_env: Variable | None = None
    client: Text = "app"
    resource: Text | None = None
    scope: str = ""
    type: Text = "urn:ietf:params:oauth:token-type:access_token"
    claims: dict[str, Any] = Field(default_factory=dict)


class ActorTokenFile(Section):
    """`[actor_token]`: how the agent comes by its own token."""

    source: Literal["client_credentials", "command", "environment"] = "client_credentials"
    command: tuple[str, ...] = ()
    token_env: Variable | None = None
    scope: str = ""
    type: Text = "urn:ietf:params:oauth:token-type:access_token"


class ExchangeFile(Section):
    """`[exchange]`: the legitimate exchange that every check changes in one way."""

    target: Text | None = None
    target_parameter: Literal["resource", "audience"] = "resource"
    scope: str = ""
    second_scope: str = ""
    withheld_scope: str = ""
    most_seconds: int = 300


class OperationFile(Section):
    """`[resource.read]`, `[resource.other_scope]`, `[resource.write]`: one call of the resource.

    `path` is one that the customer may use; `another_customers_path` and `unknown_path` are like it.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^/")]
    scope: str = ""
    body: dict[str, Any] | None = None
    idempotency_header: Text = "Idempotency-Key"
    another_customers_path: str | None = None
    unknown_path: str | None = None


class ResourceFile(Section):
    """`[resource]`: a gateway or a resource server, and the operations that are tried on it."""

    url: Url
    audience: Text
    metadata_url: Url | None = None
    identifier: Url | None = None
    customer: Text | None = None
    actor: Text | None = None
    read: OperationFile
    other_scope: OperationFile | None = None
    write: OperationFile | None = None
    keyless_url: MaybeUrl = None
    identity_headers: tuple[Text, ...] = (
        "X-User",
        "X-User-Id",
        "X-Forwarded-User",
        "X-Authenticated-User",
        "X-Remote-User",
        "Remote-User",
        "X-Actor",
        "X-Agent-Id",
        "X-JWT-Payload",
        "X-JWT-Assertion",
        "X_User",
        "X_Forwarded_User",
        "X_Remote_User",
    )


class MintingFile(Section):
    """`[minting]`: how the suite makes tokens that the target trusts, apart from their one flaw.

    With `key_env`, or a key of its own, the suite signs; with `command`, it asks a program that is started
    once and answers each line of JSON (`{"header": …, "claims": …}`) with a line that holds a token.
    `jwks_listen` serves the public key, for targets whose `jwks_uri` points there.
    """

    issuer: Url | None = None
    key_env: Variable | None = None
    command: tuple[str, ...] = ()
    jwks_listen: Annotated[str, StringConstraints(pattern=r"^[\w.:\[\]-]+:\d+$")] | None = None
    subject_tokens: bool = False
    access_tokens: bool = True


class AgentRegistryFile(Section):
    """`[agent_registry]`: programs that suspend the agent of `[clients.agent]`, and let it go on."""

    suspend: Annotated[tuple[str, ...], Field(min_length=1)]
    resume: Annotated[tuple[str, ...], Field(min_length=1)]


class ObserverFile(Section):
    """`[backend]`: a backend of the suite's own, for gateways that can be told to send calls there."""

    listen: Annotated[str, StringConstraints(pattern=r"^[\w.:\[\]-]+:\d+$")]


class ExpectedFailure(Section):
    """`[[expected_failures]]`: a rule that this deployment is known to break."""

    rule: RuleId
    reason: Text


class TargetFile(Section):
    """A whole target file."""

    name: Text
    about: str = ""
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    verify_tls: bool = True
    authorization_server: AuthorizationServerFile | None = None
    clients: dict[str, ClientFile] = Field(default_factory=dict)
    sign_on: SignOnFile | None = None
    subject_token: SubjectTokenFile | None = None
    actor_token: ActorTokenFile | None = None
    exchange: ExchangeFile | None = None
    resource: ResourceFile | None = None
    minting: MintingFile | None = None
    agent_registry: AgentRegistryFile | None = None
    backend: ObserverFile | None = None
    not_offered: dict[Feature, Text] = Field(default_factory=dict)
    expected_failures: tuple[ExpectedFailure, ...] = ()


def read_target_file(path: Path, environment: Mapping[str, str] = os.environ) -> TargetFile:
    """Read a target file; `${NAME}` and `${NAME:-default}` in its strings come from the environment.

    Raises:
        UnsoundRun: it cannot be read, is no TOML, or does not say what is needed; with every fault named.
    """
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UnsoundRun(f"the target file {path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
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
    faults += _source_gaps(target)
    if target.minting and not (
        target.minting.key_env or target.minting.command or target.minting.jwks_listen
    ):
        faults.append("minting needs key_env, command, or jwks_listen for a key that the suite makes")
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
