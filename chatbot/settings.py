"""The service's settings: the only place where the environment is read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; README.md explains them."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    issuer: str = "http://localhost:8502"
    jwks_uri: str = "http://localhost:8502/jwks"
    token_endpoint: str = "http://localhost:8502/token"  # noqa: S105 - an address, not a secret
    client_id: str = "https://bank-agent.example.com"
    account_api_audience: str = "https://account.api.example.com"
    gateway_url: str = "http://localhost:8503"
    mcp_url: str = "http://localhost:8503/mcp"
    tools: Literal["rest", "mcp"] = "rest"
    data_dir: Path = Path("./data/chatbot")
    openai_api_key: SecretStr = SecretStr("")
    openai_base_url: str = ""
    openai_model: str = "gpt-4.1-mini"
    model_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 60.0
    gateway_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    question_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 120.0
