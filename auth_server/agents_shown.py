"""Agents and their history as the command line prints them: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from typing import Any

from auth_server.agent_tables import AgentChange, RegisteredAgent


def list_as_json(agents: Sequence[RegisteredAgent]) -> str:
    """Return all agents as a JSON array."""
    return _json([_agent(one) for one in agents])


def agent_as_json(agent: RegisteredAgent, history: Sequence[AgentChange]) -> str:
    """Return one agent as a JSON object, its history included."""
    return _json(_agent(agent) | {"history": [_entry(one) for one in history]})


def list_as_table(agents: Sequence[RegisteredAgent]) -> str:
    """Return all agents, a line each."""
    return table(
        [("STATE", "ID", "NAME", "OWNER"), *((a.state, a.agent_id, a.name, a.owner) for a in agents)]
    )


def agent_as_table(agent: RegisteredAgent, history: Sequence[AgentChange]) -> str:
    """Return one agent, a line for each field and for each entry of its history."""
    keys = agent.jwks_uri or ", ".join(key["kid"] for key in agent.jwks)
    fields = [
        ("id", agent.agent_id),
        ("name", agent.name),
        ("purpose", agent.purpose),
        ("owner", agent.owner),
        ("answers for it", agent.owner_sub or "nobody named"),
        ("state", agent.state),
        ("keys", keys),
        *(("scope", f"{audience}: {' '.join(scopes)}") for audience, scopes in agent.scopes.items()),
        ("max life", f"{agent.max_seconds} s"),
        ("max transfer", _max_transfer(agent)),
        ("may act for", _whom(agent)),
    ]
    entries = [(_time(one), one.action, one.who, _changes(one), one.why) for one in history]
    return table(fields) + "\n\n" + table([("TIME", "CHANGE", "BY", "WHAT", "WHY"), *entries])


def _agent(agent: RegisteredAgent) -> dict[str, Any]:
    return {
        "id": agent.agent_id,
        "name": agent.name,
        "purpose": agent.purpose,
        "owner": agent.owner,
        "owner_sub": agent.owner_sub,
        "state": agent.state,
        "jwks_uri": agent.jwks_uri,
        "jwks": {"keys": agent.jwks} if agent.jwks else None,
        "scopes": agent.scopes,
        "max_seconds": agent.max_seconds,
        "customers": agent.customers,
        "groups": agent.groups,
        "max_transfer_minor": agent.max_transfer_minor,
    }


def _entry(entry: AgentChange) -> dict[str, Any]:
    return {
        "time": entry.time.isoformat(timespec="seconds"),
        "who": entry.who,
        "action": entry.action,
        "why": entry.why,
        "changes": entry.changes,
    }


def _whom(agent: RegisteredAgent) -> str:
    named = [*(agent.customers or ()), *(f"the group {name}" for name in agent.groups or ())]
    return ", ".join(named) or "all customers who allow it"


def _max_transfer(agent: RegisteredAgent) -> str:
    if agent.max_transfer_minor is None:
        return "no limit of its own"
    return f"{agent.max_transfer_minor} minor units"


def _time(entry: AgentChange) -> str:
    return f"{entry.time:%Y-%m-%d %H:%M:%SZ}"


def _changes(entry: AgentChange) -> str:
    if "state" in entry.changes:
        return str(entry.changes["state"][1])
    return ", ".join(entry.changes)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows with their columns in line; the first row heads them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
