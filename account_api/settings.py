"""The service's settings: the only place where the environment is read."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MetadataUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^/?#@\s]+/\.well-known/oauth-protected-resource$")
]


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; README.md explains them."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    issuer: str = "http://localhost:8502"
    jwks_uri: str = "http://localhost:8502/jwks"
    token_endpoint: str = "http://localhost:8502/token"  # noqa: S105 - an address, not a secret
    security_events_endpoint: str = ""
    client_id: str = "account-api"
    audience: str = "https://account.api.example.com"
    resource_metadata_url: MetadataUrl = "http://localhost:8505/.well-known/oauth-protected-resource"
    app_client_ids: Annotated[frozenset[str], NoDecode] = frozenset({"banking-app"})
    mcp_hosts: Annotated[tuple[str, ...], NoDecode] = (
        "localhost:*",
        "127.0.0.1:*",
        "[::1]:*",
        "account_api:*",
    )
    mcp_origins: Annotated[tuple[str, ...], NoDecode] = ()
    data_dir: Path = Path("./data/account_api")
    database_url: SecretStr = SecretStr("")
    verified_tokens: Annotated[int, Field(ge=0)] = 10_000
    record_days: Annotated[int, Field(ge=1, le=3660)] = 90
    checkpoints_endpoint: str = ""
    checkpoint_records: Annotated[int, Field(ge=1)] = 1000
    checkpoint_seconds: Annotated[int, Field(ge=1)] = 300

    @field_validator("app_client_ids", "mcp_hosts", "mcp_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return value.split() if isinstance(value, str) else value
