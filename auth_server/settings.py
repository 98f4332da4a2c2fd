"""Every setting of the authorization server; nothing else reads the environment."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from auth_server.agent_details import agent_identifier


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise ValueError("must be an https address, or http on localhost (RFC 8414 section 2)")
    if value.endswith("/") or parts.query or parts.fragment:
        raise ValueError("must have no query, no fragment and no slash at the end")
    return value


def _without_slash(value: str) -> str:
    return value.rstrip("/")


class Settings(BaseSettings):
    """The authorization server's settings. Each is an environment variable of the same name, in capitals."""

    model_config = SettingsConfigDict(frozen=True)

    issuer: Annotated[str, AfterValidator(_issuer)] = "http://localhost:8502"
    data_dir: Path = Path("data/auth_server")
    database_url: str = Field("", repr=False)

    banking_app_client_id: str = "banking-app"
    banking_app_url: Annotated[str, AfterValidator(_without_slash)] = "http://localhost:8501"
    banking_app_jwks_uri: str = "http://localhost:8501/jwks.json"

    agent_id: Annotated[str, AfterValidator(agent_identifier)] = "https://bank-agent.example.com"
    agent_name: str = "Bank Assistant"
    agent_owner: str = "Digital Channels, Example Bank"
    agent_jwks_uri: str = "http://localhost:8504/jwks.json"

    gateway_client_id: str = "gateway"
    gateway_jwks_uri: str = "http://localhost:8503/jwks.json"
    account_api_client_id: str = "account-api"
    account_api_jwks_uri: str = "http://localhost:8505/jwks.json"
    account_api_audience: str = "https://account.api.example.com"
    account_api_addresses: str = "http://localhost:8503 http://localhost:8503/mcp"

    demo_password: str = Field("bank-demo", repr=False)
    grant_days: int = Field(90, ge=1, le=366)
    sign_on_hours: int = Field(12, ge=1, le=168)
    record_days: int = Field(90, ge=1, le=3660)
    checkpoint_records: int = Field(1000, ge=1)
    checkpoint_seconds: int = Field(300, ge=1)

    @property
    def audience_by_address(self) -> dict[str, str]:
        """Return which resource stands at an address that protected resource metadata name (RFC 9728)."""
        return dict.fromkeys(self.account_api_addresses.split(), self.account_api_audience)

    @property
    def other_parties(self) -> frozenset[str]:
        """Return the names of issuer, clients and resource: none of them may be an agent's."""
        clients = {self.banking_app_client_id, self.gateway_client_id, self.account_api_client_id}
        return frozenset({self.issuer, self.account_api_audience, *clients})

    @property
    def is_https(self) -> bool:
        """Tell whether browsers come by https, and cookies must not travel without it."""
        return self.issuer.startswith("https:")
