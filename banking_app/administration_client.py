"""The agent registry for staff, as the authorization server's administration API shows and changes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import quote

import httpx2

from banking_app.service_http import Document, Service

State = Literal["draft", "active", "suspended", "retired"]
STATES: Final[tuple[State, ...]] = ("active", "suspended", "draft", "retired")
Transition = Literal["suspend", "resume", "retire"]
TRANSITIONS: Final[Mapping[State, tuple[Transition, ...]]] = {
    "draft": ("resume", "retire"),
    "active": ("suspend", "retire"),
    "suspended": ("resume", "retire"),
    "retired": (),
}
"""What can be done with an agent in each state. Nothing leads out of `retired`."""

_PAGE: Final = 100
_MAX_PAGES: Final = 10


class AgentSummary(Document):
    """What is registered of an agent. `scopes` are by audience.

    `customers` and `groups` are whom it may act for; None in both means all who allow it.
    `max_seconds` is the longest life of its tokens; `max_transfer_minor` is in minor currency units.
    `suspended_by_role` is the role in which staff suspended it, None for the command line's.
    """

    agent_id: str
    name: str
    purpose: str
    owner: str
    owner_sub: str | None = None
    state: State
    suspended_by_role: str | None = None
    jwks_uri: str | None = None
    kids: tuple[str, ...] = ()
    scopes: Mapping[str, tuple[str, ...]]
    max_seconds: int
    customers: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    max_transfer_minor: int | None = None

    def is_held_from(self, role: str | None) -> bool:
        """Return whether it is suspended and not for this role to resume."""
        return self.state == "suspended" and role == "owner" and self.suspended_by_role != "owner"

    def transitions_for(self, role: str | None) -> tuple[Transition, ...]:
        """Return what this role can do with it now, of those that may change agents."""
        held = self.is_held_from(role)
        return tuple(one for one in TRANSITIONS[self.state] if one != "resume" or not held)


class Change(Document):
    """One entry of an agent's history: who did what, when, and why."""

    time: datetime
    who: str
    action: str
    why: str
    changes: Mapping[str, Any] = {}


class History(Document):
    """A page of an agent's history, oldest first; `earlier` leads to the page before it, if there is one."""

    history: tuple[Change, ...]
    earlier: int | None = None


class Agent(AgentSummary, History):
    """One agent with the end of its history."""


class Numbers(Document):
    """How many grants an agent has, and had."""

    in_force: int
    withdrawn: int
    expired: int


class AgentGrant(Document):
    """What one customer allows an agent."""

    grant_id: str
    customer: str
    scope: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


class AgentGrants(Document):
    """An agent's grants in numbers, and those in force, newest first."""

    numbers: Numbers
    grants: tuple[AgentGrant, ...]


class _Agents(Document):
    agents: tuple[AgentSummary, ...]
    total: int


class AdministrationClient:
    """Shows and changes agents. Every method raises `Failure` when it cannot.

    Only our authorization server offers this: `offered` is False where the setting is empty. Who may do what
    is decided there, for each call.
    """

    def __init__(self, endpoint: str, http: httpx2.Client) -> None:
        self._endpoint = endpoint
        self._service = Service(http, "authorization server", "The agents cannot be shown or changed.")

    @property
    def offered(self) -> bool:
        """Whether this authorization server lets staff look after agents here."""
        return bool(self._endpoint)

    def agents(self, token: str) -> list[AgentSummary]:
        """Return the agents that the caller may see, by identifier, 1,000 at most."""
        found: list[AgentSummary] = []
        for _ in range(_MAX_PAGES):
            window = {"limit": _PAGE, "offset": len(found)}
            response = self._service.call("GET", f"{self._endpoint}/agents", token, window)
            page = self._service.document(response, _Agents)
            found += page.agents
            if not page.agents or len(found) >= page.total:
                break
        return found

    def agent(self, token: str, agent_id: str) -> Agent:
        """Return one agent."""
        response = self._service.call("GET", f"{self._endpoint}/agent", token, {"agent_id": agent_id})
        return self._service.document(response, Agent)

    def history(self, token: str, agent: Agent, pages: int) -> History:
        """Return so many more pages of an agent's history as well as what came with it; 10 at most."""
        found = History(history=agent.history, earlier=agent.earlier)
        for _ in range(min(pages, _MAX_PAGES)):
            if found.earlier is None:
                break
            window = {"before": found.earlier, "limit": _PAGE}
            asked: dict[str, str | int] = {"agent_id": agent.agent_id, **window}
            response = self._service.call("GET", f"{self._endpoint}/agent/history", token, asked)
            page = self._service.document(response, History)
            found = History(history=page.history + found.history, earlier=page.earlier)
        return found

    def grants(self, token: str, agent_id: str) -> AgentGrants:
        """Return an agent's grants; of those in force the newest 100."""
        asked: dict[str, str | int] = {"agent_id": agent_id, "limit": _PAGE}
        response = self._service.call("GET", f"{self._endpoint}/agent/grants", token, asked)
        return self._service.document(response, AgentGrants)

    def withdraw_grant(self, token: str, grant_id: str, reason: str) -> None:
        """End a customer's grant, at once."""
        url = f"{self._endpoint}/grants/{quote(grant_id, safe='')}/withdraw"
        self._service.call("POST", url, token, json={"reason": reason})

    def change_state(self, token: str, agent_id: str, transition: Transition, reason: str) -> Agent:
        """Suspend, resume or retire an agent, at once."""
        url = f"{self._endpoint}/agent/{transition}"
        response = self._service.call("POST", url, token, {"agent_id": agent_id}, {"reason": reason})
        return self._service.document(response, Agent)

    def register(self, token: str, new: Mapping[str, Any]) -> Agent:
        """Register an agent, as the API takes it."""
        response = self._service.call("POST", f"{self._endpoint}/agents", token, json=new)
        return self._service.document(response, Agent)
