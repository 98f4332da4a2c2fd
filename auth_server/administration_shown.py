"""What the administration API shows as JSON. Of keys it shows only where they are, or their `kid`."""

from collections.abc import Sequence
from typing import Any

from auth_server.agent_tables import AgentChange, RegisteredAgent
from auth_server.people import Person
from auth_server.tables import DelegationGrant, Staff


def agent_shown(agent: RegisteredAgent) -> dict[str, Any]:
    """Return what is registered of an agent."""
    return {
        "agent_id": agent.agent_id,
        "name": agent.name,
        "purpose": agent.purpose,
        "owner": agent.owner,
        "owner_sub": agent.owner_sub,
        "state": agent.state,
        "suspended_by_role": agent.suspended_by_role,
        "jwks_uri": agent.jwks_uri,
        "kids": [key["kid"] for key in agent.jwks],
        "scopes": agent.scopes,
        "max_seconds": agent.max_seconds,
        "customers": agent.customers,
        "groups": agent.groups,
        "max_transfer_minor": agent.max_transfer_minor,
    }


def history_shown(entries: Sequence[AgentChange], earlier: int | None) -> dict[str, Any]:
    """Return a page of an agent's history; `earlier` is what the page with earlier entries is `before`."""
    shown = [
        {
            "time": entry.time.isoformat(timespec="seconds"),
            "who": entry.who,
            "action": entry.action,
            "why": entry.why,
            "changes": entry.changes,
        }
        for entry in entries
    ]
    return {"history": shown, "earlier": earlier}


def grant_shown(grant: DelegationGrant) -> dict[str, Any]:
    """Return what a customer allows an agent."""
    return {
        "grant_id": grant.grant_id,
        "customer": grant.sub,
        "scope": grant.scope,
        "created_at": grant.created_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
        "last_used_at": grant.last_used_at.isoformat() if grant.last_used_at else None,
    }


def person_shown(person: Person) -> dict[str, Any]:
    """Return what staff see of a person: of a member of staff the role, of a customer the groups."""
    kind = {"role": person.role} if isinstance(person, Staff) else {"groups": person.groups or []}
    disabled_at = person.disabled_at.isoformat(timespec="seconds") if person.disabled_at else None
    return {"sub": person.sub, "name": person.name, **kind, "disabled_at": disabled_at}
