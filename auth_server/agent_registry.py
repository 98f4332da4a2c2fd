"""The agent registry: agents are registered, edited, suspended, resumed and retired, each with who and why.

Every change is an entry of the agent's history and a record, in the caller's transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth_server.agent_details import AgentDetails, InvalidDetails, RegistryError, details
from auth_server.agent_history import By, note
from auth_server.agent_tables import RegisteredAgent
from auth_server.ended_tokens import revoke_agent
from auth_server.people import find_person
from auth_server.scopes import ROLES
from auth_server.tables import Staff

Transition = Literal["suspend", "resume", "retire"]
TRANSITIONS: Final[Mapping[Transition, tuple[frozenset[str], str]]] = {
    "suspend": (frozenset({"active"}), "suspended"),
    "resume": (frozenset({"draft", "suspended"}), "active"),
    "retire": (frozenset({"draft", "active", "suspended"}), "retired"),
}
"""From which states each leads where. Nothing leads out of `retired`."""


class NotTheirs(Exception):
    """An owner wants to resume what an administrator stopped, or the command line."""

    def __init__(self) -> None:
        super().__init__(
            "An owner resumes what an owner suspended; ask an administrator to let this agent go on."
        )


def all_agents(db: Session) -> Sequence[RegisteredAgent]:
    """Return every agent, by identifier."""
    return db.scalars(select(RegisteredAgent).order_by(RegisteredAgent.agent_id)).all()


def agent(db: Session, agent_id: str, *, hold: bool = False) -> RegisteredAgent:
    """Return an agent; with `hold`, nobody else changes it or acts as it until this transaction is over.

    Raises:
        RegistryError: there is none.
    """
    row = db.get(RegisteredAgent, agent_id, with_for_update=hold, populate_existing=hold)
    if row is None:
        raise RegistryError(f"no agent is registered as {agent_id}")
    return row


def register(
    db: Session, new: AgentDetails, by: By, *, taken: Collection[str], draft: bool = False
) -> RegisteredAgent:
    """Register an agent, active or as a draft.

    `taken` are the names of other parties: of the issuer, of clients and of resources. A person's is not an
    agent's either, so that nobody takes the one for the other (RFC 9700 §4.15).

    Raises:
        InvalidDetails: `owner_sub` is nobody who may answer for it.
        RegistryError: the identifier is taken.
    """
    _check_owner(db, new.owner_sub)
    if db.get(RegisteredAgent, new.agent_id) is not None:
        raise RegistryError(f"{new.agent_id} is registered already; an identifier is used once")
    if new.agent_id in taken or find_person(db, new.agent_id) is not None:
        raise RegistryError(f"{new.agent_id} is the name of another party")
    row = RegisteredAgent(**new.model_dump(), state="draft" if draft else "active")
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError as error:  # two at the same moment
        raise RegistryError(f"{new.agent_id} is registered already; an identifier is used once") from error
    note(db, row, "register", by, {"state": [None, row.state]})
    return row


def edit(db: Session, agent_id: str, changes: Mapping[str, Any], by: By) -> RegisteredAgent:
    """Change what is registered of an agent; it counts from the next request on.

    Raises:
        RegistryError: there is no such agent, it is retired, a value is wrong, or nothing changes.
    """
    return _change(db, agent_id, changes, by, "edit")


def rotate_keys(
    db: Session, agent_id: str, add: Sequence[Mapping[str, Any]], remove: str | None, by: By
) -> RegisteredAgent:
    """Add uploaded public keys, remove one by its `kid`, or both; the removed one is refused at once.

    Raises:
        RegistryError: as `edit`; or the agent's keys are at its `jwks_uri`, or there is no key to remove.
    """
    row = agent(db, agent_id, hold=True)
    if row.jwks_uri is not None:
        raise RegistryError(f"the keys of {agent_id} are at {row.jwks_uri}: publish and remove them there")
    if remove is not None and remove not in _kids(row.jwks):
        raise RegistryError(f"{agent_id} has no key {remove}, but {', '.join(_kids(row.jwks))}")
    keys = [*(key for key in row.jwks if key["kid"] != remove), *add]
    return _change(db, agent_id, {"jwks": keys}, by, "rotate-keys")


def change_state(db: Session, agent_id: str, transition: Transition, by: By) -> RegisteredAgent:
    """Suspend, resume or retire an agent. What an agent holds ends with its activity, for good.

    What an owner suspended can be suspended by others once more: from then on it is theirs to resume.

    Raises:
        RegistryError: there is no such agent, or its state does not allow this.
        NotTheirs: it is for others than an owner to resume.
    """
    row = agent(db, agent_id, hold=True)
    sources, target = TRANSITIONS[transition]
    is_held_by_owner = row.state == "suspended" and row.suspended_by_role == "owner"
    if transition == "resume" and row.state == "suspended" and by.role == "owner" and not is_held_by_owner:
        raise NotTheirs
    takes_over = transition == "suspend" and is_held_by_owner and by.role != "owner"
    if row.state not in sources and not takes_over:
        raise RegistryError(f"{agent_id} is {row.state}: {transition} takes one that is {_either(sources)}")
    before, row.state = row.state, target
    row.suspended_by_role = by.role if target == "suspended" else None
    if target != "active":
        revoke_agent(db, agent_id, by.at)
    note(db, row, transition, by, {"state": [before, target]})
    return row


def _change(db: Session, agent_id: str, changes: Mapping[str, Any], by: By, action: str) -> RegisteredAgent:
    row = agent(db, agent_id, hold=True)
    if row.state == "retired":
        raise RegistryError(f"{agent_id} is retired: nothing of it changes any more")
    before = {name: getattr(row, name) for name in AgentDetails.model_fields}
    after = details(**before | dict(changes)).model_dump()
    changed = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
    if not changed:
        raise RegistryError(f"nothing of {agent_id} changes")
    if "owner_sub" in changed:
        _check_owner(db, after["owner_sub"])
    for name in changed:
        setattr(row, name, after[name])
    if "jwks" in changed:
        changed["jwks"] = [_kids(keys) for keys in changed["jwks"]]
    note(db, row, action, by, changed)
    return row


def _check_owner(db: Session, owner_sub: str | None) -> None:
    if owner_sub is None:
        return
    member = db.get(Staff, owner_sub)
    if member is None or member.disabled_at is not None or "agents:write" not in ROLES[member.role]:
        raise InvalidDetails("owner_sub: must be a member of staff, not disabled, and no auditor")


def _kids(keys: Sequence[Mapping[str, Any]]) -> list[str]:
    return [key["kid"] for key in keys]


def _either(states: Collection[str]) -> str:
    return " or ".join(sorted(states))
