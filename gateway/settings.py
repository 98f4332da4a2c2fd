"""The service's settings: the only place where the environment is read."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

# An origin and no more: the path that the policy judged is the path that is sent on, with nothing before it.
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@\s]+$")]
MetadataUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^/?#@\s]+/\.well-known/oauth-protected-resource$")
]


DATABASE_FILE: Final = "gateway.sqlite3"
POLICIES: Final = "policies"
TOOLS: Final = "tools"
"""Where in `DATA_DIR` the records are, each policy that came into force, as `version.yaml`, and each tool's
definition that was seen, as `hash.json`."""


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; README.md explains them."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    issuer: str = "http://localhost:8502"
    jwks_uri: str = "http://localhost:8502/jwks"
    token_endpoint: str = "http://localhost:8502/token"  # noqa: S105 - an address, not a secret
    security_events_endpoint: str = ""
    client_id: str = "gateway"
    data_dir: Path = Path("./data/gateway")
    database_url: SecretStr = SecretStr("")
    record_bound_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    record_wait_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    record_queue: Annotated[int, Field(ge=2)] = 10_000
    record_days: Annotated[int, Field(ge=1, le=3660)] = 90
    checkpoints_endpoint: str = ""
    checkpoint_records: Annotated[int, Field(ge=1)] = 1000
    checkpoint_seconds: Annotated[int, Field(ge=1)] = 300
    policy_file: Path = Path(__file__).with_name("policy.yaml")
    policy_look_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    resource_metadata_url: MetadataUrl = "http://localhost:8503/.well-known/oauth-protected-resource"
    upstream_url: Origin = "http://localhost:8505"
    upstream_max_connections: Annotated[int, Field(gt=0)] = 256
    upstream_connect_timeout_seconds: Annotated[float, Field(gt=0)] = 2.0
    upstream_read_timeout_seconds: Annotated[float, Field(gt=0)] = 5.0
    max_body_bytes: Annotated[int, Field(ge=0)] = 64 * 1024
    held_body_seconds: Annotated[float, Field(gt=0)] = 10.0
    verified_tokens: Annotated[int, Field(ge=0)] = 10_000
    mcp_allowed_origins: Annotated[str, StringConstraints(pattern=r"^(https?://[^/?#@\s]+ ?)*$")] = ""
    tools_refresh_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    max_limited_keys: Annotated[int, Field(ge=1)] = 100_000
    redis_url: SecretStr = SecretStr("")
    redis_key_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:._-]{1,64}$")] = "agent-gateway:"
