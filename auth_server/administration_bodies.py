"""What the administration API takes as JSON."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from auth_server.agent_details import (
    AgentDetails,
    CustomerList,
    JwksUri,
    MinorUnits,
    PublicJwk,
    PublicJwks,
    Scopes,
    Seconds,
    Text,
)


class Reason(BaseModel):
    """Why something is done, for the history and the record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Text


class NewAgent(AgentDetails):
    """An agent to be registered: active at once unless it is a draft."""

    draft: bool = False
    reason: Text | Annotated[str, Field(max_length=0)] = ""


class AgentChanges(BaseModel):
    """What is to change of an agent. What is left out stays; null takes a limit or a name away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Text | None = None
    purpose: Text | None = None
    owner: Text | None = None
    owner_sub: Text | None = None
    jwks_uri: JwksUri | None = None
    jwks: PublicJwks | None = None
    scopes: Scopes | None = None
    max_seconds: Seconds | None = None
    customers: CustomerList | None = None
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


class KeyChange(BaseModel):
    """Public keys to add, and the `kid` of one to remove."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    add: list[PublicJwk] = Field([], max_length=8)
    remove: Text | None = None
    reason: Text | Annotated[str, Field(max_length=0)] = ""
