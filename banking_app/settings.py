"""The only reader of the environment."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an absolute http or https address without query and fragment")
    return value


def _base_address(value: str) -> str:
    return _address(value).rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
BaseAddress = Annotated[str, AfterValidator(_base_address)]
OptionalAddress = Annotated[str, AfterValidator(lambda value: _address(value) if value else value)]
OptionalBaseAddress = Annotated[str, AfterValidator(lambda value: _base_address(value) if value else value)]


class Settings(BaseSettings):
    """The banking app's settings; each field is the environment variable of the same name in capitals.

    Addresses that the browser opens and addresses that this service calls are separate settings: inside a
    container network they differ, and none is derived from another.
    """

    model_config = SettingsConfigDict(frozen=True)

    public_url: BaseAddress = "http://localhost:8501"
    data_dir: Path = Path("./data/banking_app")
    client_id: str = "banking-app"

    issuer: str = "http://localhost:8502"
    jwks_uri: Address = "http://localhost:8502/jwks"
    authorization_endpoint: Address = "http://localhost:8502/authorize"
    end_session_endpoint: Address = "http://localhost:8502/end-session"
    token_endpoint: Address = "http://localhost:8502/token"  # noqa: S105 - an address, not a secret
    revocation_endpoint: Address = "http://localhost:8502/revoke"
    grant_management_endpoint: OptionalAddress = "http://localhost:8502/grants"
    auth_records_endpoint: OptionalAddress = "http://localhost:8502/records"
    administration_endpoint: OptionalBaseAddress = "http://localhost:8502/admin"
    auth_audit_endpoint: OptionalAddress = "http://localhost:8502/audit"
    gateway_audit_endpoint: OptionalAddress = "http://localhost:8503/audit"
    account_audit_endpoint: OptionalAddress = "http://localhost:8505/audit"
    id_token_signed_response_alg: Literal["ES256", "PS256", "RS256"] = "ES256"  # noqa: S105

    agent_id: str = "https://bank-agent.example.com"
    account_api_audience: str = "https://account.api.example.com"
    chatbot_url: BaseAddress = "http://localhost:8504"
    account_api_url: BaseAddress = "http://localhost:8505"

    session_idle_seconds: int = Field(default=3_600, ge=60)
    session_max_seconds: int = Field(default=28_800, ge=60)

    @property
    def served_over_https(self) -> bool:
        """Whether the browser reaches this app over https, so that cookies may demand it."""
        return self.public_url.startswith("https://")

    @property
    def redirect_uri(self) -> str:
        """The one redirect URI that is registered for this client."""
        return f"{self.public_url}/callback"
