"""What the customer has allowed the assistant, as the authorization server keeps it."""

from datetime import datetime
from urllib.parse import quote

import httpx2

from banking_app.service_http import Document, Service


class Agent(Document):
    """Who may act. `state` is the bank's own: `active`, `suspended`, `retired`, `draft`.

    `max_transfer_minor` is the largest transfer that it may ask for, in minor units; None for no limit. In a
    grant it is the one that counts for this customer: never more than they read when they allowed it.
    `is_for_you` is false where the bank lets it act for other customers only.
    """

    id: str
    name: str
    owner: str | None = None
    state: str | None = None
    max_transfer_minor: int | None = None
    is_for_you: bool = True

    @property
    def is_stopped(self) -> bool:
        """Whether the bank lets it do nothing now; an authorization server need not say."""
        return self.state not in (None, "active")


class Permission(Document):
    """One scope, in plain words."""

    name: str
    description: str


class Grant(Document):
    """A customer's consent: to which agent, for what, from when until when."""

    grant_id: str
    agent: Agent
    scope: list[Permission]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    last_used_scope: str | None = None

    @property
    def last_used_for(self) -> str | None:
        """Return in plain words what it was used for last, if that is known."""
        words = {permission.name: permission.description for permission in self.scope}
        used = (self.last_used_scope or "").split()
        return "; ".join(words.get(name, name) for name in used) or None


class Grants(Document):
    """What a customer allows, and the agent that was asked about, where the server says so."""

    grants: list[Grant]
    agent: Agent | None = None


class GrantsClient:
    """Lists and withdraws grants. Every method raises `Failure` when it cannot.

    Only our authorization server offers this: `offered` is False where the setting is empty.
    """

    def __init__(self, endpoint: str, http: httpx2.Client) -> None:
        self._endpoint = endpoint
        self._service = Service(
            http, "authorization server", "What you have allowed cannot be shown or changed."
        )

    @property
    def offered(self) -> bool:
        """Whether this authorization server lets customers see and withdraw grants here."""
        return bool(self._endpoint)

    def grants(self, token: str) -> list[Grant]:
        """Return the customer's grants in force."""
        return self._service.document(self._service.call("GET", self._endpoint, token), Grants).grants

    def grants_and_agent(self, token: str, agent_id: str) -> Grants:
        """Return the same, and in which state the agent is: allowed or not, it may have been stopped."""
        answer = self._service.call("GET", self._endpoint, token, {"agent_id": agent_id})
        return self._service.document(answer, Grants)

    def withdraw(self, token: str, grant_id: str) -> None:
        """End a grant at once."""
        self._service.call("DELETE", f"{self._endpoint}/{quote(grant_id, safe='')}", token)
