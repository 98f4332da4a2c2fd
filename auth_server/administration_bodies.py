"""What the administration API takes as JSON."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from auth_server.agent_details import (
    AgentDetails,
    CustomerList,
    GroupList,
    GroupNames,
    JwksUri,
    MinorUnits,
    PublicJwk,
    PublicJwks,
    Scopes,
    Seconds,
    Text,
)

_EXAMPLE_KEY: Final[dict[str, Any]] = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "kid": "2026-11",
}
"""The public key of RFC 7517 §A.1 and RFC 7515 §A.3."""


class Reason(BaseModel):
    """Why something is done, for the history and the record."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"reason": "its key has leaked"}]}
    )

    reason: Text


class NewAgent(AgentDetails):
    """An agent to be registered: active at once unless it is a draft."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "agent_id": "https://card-agent.example.com",
                    "name": "Card Assistant",
                    "purpose": "Answers customers' questions about their cards",
                    "owner": "Cards, Example Bank",
                    "jwks": [_EXAMPLE_KEY],
                    "scopes": {"https://account.api.example.com": ["account:read_transactions"]},
                    "max_seconds": 120,
                    "draft": True,
                }
            ]
        }
    )

    draft: bool = False
    reason: Text | Annotated[str, Field(max_length=0)] = ""


class AgentChanges(BaseModel):
    """What is to change of an agent. What is left out stays; null takes a limit or a name away."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"max_seconds": 120, "customers": None}]}
    )

    name: Text | None = None
    purpose: Text | None = None
    owner: Text | None = None
    owner_sub: Text | None = None
    jwks_uri: JwksUri | None = None
    jwks: PublicJwks | None = None
    scopes: Scopes | None = None
    max_seconds: Seconds | None = None
    customers: CustomerList | None = None
    groups: GroupList | None = None
    max_transfer_minor: MinorUnits | None = None
    reason: Text | Annotated[str, Field(max_length=0)] = ""

    def changed(self) -> dict[str, Any]:
        """Return the fields that were sent, with their values; keys of one kind take the other's place."""
        sent = self.model_dump(exclude_unset=True, exclude={"reason"})
        if sent.keys() >= {"jwks", "jwks_uri"}:
            return sent
        if "jwks" in sent:
            sent["jwks_uri"] = None
        elif "jwks_uri" in sent:
            sent["jwks"] = []
        return sent


class Groups(BaseModel):
    """The groups that a customer is in from now on, and no others; none if the list is empty."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"groups": ["pilot"]}]}
    )

    groups: GroupNames
    reason: Text | Annotated[str, Field(max_length=0)] = ""


class KeyChange(BaseModel):
    """Public keys to add, and the `kid` of one to remove."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"add": [_EXAMPLE_KEY], "remove": "2025-11"}]},
    )

    add: list[PublicJwk] = Field([], max_length=8)
    remove: Text | None = None
    reason: Text | Annotated[str, Field(max_length=0)] = ""
