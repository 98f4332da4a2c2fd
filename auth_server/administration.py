"""The administration API, for agents: who they are, what they may do, how one is stopped now.

An owner sees and changes the agents that it answers for; another's looks like one that does not exist.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth_server.administration_bodies import AgentChanges, KeyChange, NewAgent, Reason
from auth_server.administration_shown import agent_shown, history_shown
from auth_server.agent_details import AgentId, InvalidDetails, RegistryError, details
from auth_server.agent_history import HISTORY_PAGE, By, history_page
from auth_server.agent_registry import NotTheirs, Transition, change_state, edit, register, rotate_keys
from auth_server.agent_tables import RegisteredAgent
from auth_server.audit import record
from auth_server.documented import ADMINISTERED, problem
from auth_server.json_body import body, documented_body
from auth_server.own_interfaces import no_store
from auth_server.problems import Refused
from auth_server.staff_access import Caller, staff
from auth_server.tables import Staff
from delegation.record import of_token

router = APIRouter(prefix="/admin", tags=["administration"], dependencies=[Depends(no_store)])
State = Literal["draft", "active", "suspended", "retired"]
OfAgent = Annotated[
    AgentId, Query(description="the agent's identifier", examples=["https://bank-agent.example.com"])
]
Limit = Annotated[int, Query(ge=1, le=100, description="how many are listed at most")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="how many are passed over first")]
Reader = Annotated[Caller, staff("agents:read")]
Writer = Annotated[Caller, staff("agents:write")]
_CHANGE = ADMINISTERED | problem(404, 409, 413, 415)


@router.get("/agents", name="agent.list", responses=ADMINISTERED)
def list_agents(
    caller: Reader, state: State | None = None, limit: Limit = 50, offset: Offset = 0
) -> dict[str, Any]:
    """List the agents, by identifier: all, or those in one state."""
    with caller.transaction() as (db, member):
        permit(db, caller, "agent.list")
        agents = select(RegisteredAgent)
        if member.role == "owner":
            agents = agents.where(RegisteredAgent.owner_sub == member.sub)
        if state is not None:
            agents = agents.where(RegisteredAgent.state == state)
        total = db.scalar(select(func.count()).select_from(agents.subquery()))
        page = db.scalars(agents.order_by(RegisteredAgent.agent_id).limit(limit).offset(offset))
        return {"agents": [agent_shown(one) for one in page], "total": total}


@router.get("/agent", name="agent.show", responses=ADMINISTERED | problem(404))
def show_agent(caller: Reader, agent_id: OfAgent) -> dict[str, Any]:
    """Show one agent, with the end of its history, oldest first."""
    with caller.transaction() as (db, member):
        row = agent_for(db, member, agent_id)
        permit(db, caller, "agent.show", agent_id)
        return _shown(db, row)


@router.get("/agent/history", name="agent.history", responses=ADMINISTERED | problem(404))
def show_history(
    caller: Reader,
    agent_id: OfAgent,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="`earlier` of a page")] = None,
    limit: Limit = HISTORY_PAGE,
) -> dict[str, Any]:
    """Show a page of an agent's history, the newest first of all; within a page the oldest first."""
    with caller.transaction() as (db, member):
        agent_for(db, member, agent_id)
        permit(db, caller, "agent.history", agent_id)
        return history_shown(*history_page(db, agent_id, before, limit))


@router.post(
    "/agents",
    name="agent.register",
    status_code=201,
    responses=ADMINISTERED | problem(409, 413, 415),
    openapi_extra=documented_body(NewAgent),
)
def register_agent(caller: Writer, new: Annotated[NewAgent, body(NewAgent)]) -> dict[str, Any]:
    """Register an agent, active or as a draft; an owner's is its own."""
    with caller.transaction() as (db, member), refusals():
        agent = details(**new.model_dump(exclude={"draft", "reason"}))
        if member.role == "owner":
            _check_own(member, agent.owner_sub or member.sub)
            agent = agent.model_copy(update={"owner_sub": member.sub})
        taken = caller.context.settings.other_parties
        return _shown(db, register(db, agent, caller.by(new.reason), taken=taken, draft=new.draft))


@router.patch("/agent", name="agent.edit", responses=_CHANGE, openapi_extra=documented_body(AgentChanges))
def edit_agent(
    caller: Writer, agent_id: OfAgent, changes: Annotated[AgentChanges, body(AgentChanges)]
) -> dict[str, Any]:
    """Change what is named, and nothing else; keys of one kind take the place of the other."""
    with _change(caller, agent_id, changes.reason) as (db, member, by):
        if member.role == "owner" and "owner_sub" in changes.model_fields_set:
            _check_own(member, changes.owner_sub)
        return _shown(db, edit(db, agent_id, changes.changed(), by))


@router.post(
    "/agent/keys", name="agent.rotate-keys", responses=_CHANGE, openapi_extra=documented_body(KeyChange)
)
def change_keys(
    caller: Writer, agent_id: OfAgent, keys: Annotated[KeyChange, body(KeyChange)]
) -> dict[str, Any]:
    """Add uploaded public keys, remove one by its `kid`, or both; the removed one is refused at once."""
    with _change(caller, agent_id, keys.reason) as (db, _, by):
        return _shown(db, rotate_keys(db, agent_id, keys.add, keys.remove, by))


@router.post("/agent/suspend", name="agent.suspend", responses=_CHANGE, openapi_extra=documented_body(Reason))
def suspend_agent(
    caller: Writer, agent_id: OfAgent, because: Annotated[Reason, body(Reason)]
) -> dict[str, Any]:
    """Stop an active agent: no tokens, no exchange, and what it holds ends for good."""
    return _transition(caller, agent_id, "suspend", because)


@router.post("/agent/resume", name="agent.resume", responses=_CHANGE, openapi_extra=documented_body(Reason))
def resume_agent(
    caller: Writer, agent_id: OfAgent, because: Annotated[Reason, body(Reason)]
) -> dict[str, Any]:
    """Let a draft begin, or a suspended agent go on; an owner only what an owner suspended."""
    return _transition(caller, agent_id, "resume", because)


@router.post("/agent/retire", name="agent.retire", responses=_CHANGE, openapi_extra=documented_body(Reason))
def retire_agent(
    caller: Writer, agent_id: OfAgent, because: Annotated[Reason, body(Reason)]
) -> dict[str, Any]:
    """End an agent for ever."""
    return _transition(caller, agent_id, "retire", because)


def agent_for(db: Session, member: Staff, agent_id: str, *, hold: bool = False) -> RegisteredAgent:
    """Return an agent that this member of staff may see; with `hold`, nobody else changes it meanwhile.

    Raises:
        Refused: there is none, or another answers for it.
    """
    row = find_agent_for(db, member, agent_id, hold=hold)
    if row is None:
        raise Refused(404, "There is no such agent; list the agents to see which there are.")
    return row


def find_agent_for(db: Session, member: Staff, agent_id: str, *, hold: bool) -> RegisteredAgent | None:
    """Return the same, or None."""
    row = db.get(RegisteredAgent, agent_id, with_for_update=hold, populate_existing=hold)
    is_anothers = row is not None and member.role == "owner" and row.owner_sub != member.sub
    return None if is_anothers else row


def permit(db: Session, caller: Caller, operation: str, resource: str | None = None) -> None:
    """Record that a member of staff was shown something."""
    fields = of_token(caller.token) | {"resource": resource, "time": caller.context.now()}
    record(db, 1, "permit", "staff, in a role that may", operation, **fields)


@contextmanager
def refusals() -> Iterator[None]:
    """Answer what the registry refuses: malformed 422, for others to do 403, not possible now 409."""
    try:
        yield
    except InvalidDetails as error:
        raise Refused(422, str(error), "what was sent is not as it must be") from error
    except NotTheirs as error:
        raise Refused(403, str(error)) from error
    except RegistryError as error:
        raise Refused(409, str(error), "as things are, this cannot be done") from error


@contextmanager
def _change(caller: Caller, agent_id: str, reason: str) -> Iterator[tuple[Session, Staff, By]]:
    with caller.transaction() as (db, member), refusals():
        agent_for(db, member, agent_id, hold=True)
        yield db, member, replace(caller.by(reason), role=member.role)


def _transition(caller: Caller, agent_id: str, transition: Transition, because: Reason) -> dict[str, Any]:
    with _change(caller, agent_id, because.reason) as (db, _, by):
        return _shown(db, change_state(db, agent_id, transition, by))


def _check_own(member: Staff, owner_sub: str | None) -> None:
    if owner_sub != member.sub:
        raise Refused(403, "An owner's agents are its own; only an administrator gives one to another owner.")


def _shown(db: Session, row: RegisteredAgent) -> dict[str, Any]:
    db.flush()
    return agent_shown(row) | history_shown(*history_page(db, row.agent_id))
