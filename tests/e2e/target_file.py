"""The target file: a deployment, described in TOML. `docs/conformance.md` explains each field."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from tests.e2e.rules import Feature, rules


def _url(value: str) -> str:
    parts = urlsplit(value)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.fragment
        or not value.isprintable()
    ):
        raise ValueError("must be an http or https address")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name and password")
    return value


Url = Annotated[str, AfterValidator(_url)]
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

    `path` is one that the customer may use; `another_customers_path` and `unknown_path` are like it. `tool`
    and `arguments` are the same call by MCP; without `arguments`, they are the body. `refused_arguments` are
    some that the policy refuses, whoever calls.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, StringConstraints(pattern=r"^/")]
    scope: str = ""
    body: dict[str, Any] | None = None
    idempotency_header: Text = "Idempotency-Key"
    another_customers_path: str | None = None
    unknown_path: str | None = None
    tool: Text | None = None
    arguments: dict[str, Any] | None = None
    idempotency_argument: Text = "idempotency_key"
    another_customers_arguments: dict[str, Any] | None = None
    unknown_arguments: dict[str, Any] | None = None
    refused_arguments: dict[str, Any] | None = None

    @property
    def of_another_customer(self) -> "OperationFile | None":
        """Return the call for what another customer has; None if the file does not say how."""
        return self._at(self.another_customers_path, self.another_customers_arguments)

    @property
    def of_nobody(self) -> "OperationFile | None":
        """Return the call for what nobody has; None if the file does not say how."""
        return self._at(self.unknown_path, self.unknown_arguments)

    def _at(self, path: str | None, arguments: dict[str, Any] | None) -> "OperationFile | None":
        if path is None or (self.tool and arguments is None):
            return None
        return self.model_copy(update={"path": path, "arguments": arguments})


class McpFile(Section):
    """`[resource.mcp]`: the MCP endpoint below the resource's address, and the revision to speak there.

    `next_hop` is the audience that a token needs where the calls go on to; by default, the resource's.
    """

    path: Annotated[str, StringConstraints(pattern=r"^/")] = "/mcp"
    revision: Literal["2026-07-28", "2025-11-25"] = "2026-07-28"
    next_hop: Text | None = None


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
    mcp: McpFile | None = None
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


def is_on_this_machine(file: TargetFile) -> bool:
    """Tell whether all that is under test is reached over the loopback interface."""
    addresses = [
        *([file.authorization_server.issuer] if file.authorization_server else []),
        *([file.resource.url] if file.resource else []),
    ]
    return {urlsplit(one).hostname for one in addresses} <= {"localhost", "127.0.0.1", "::1"}
