"""The administration API, for grants: staff see which there are and can withdraw one, but make none."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from auth_server.administration import (
    Limit,
    OfAgent,
    Offset,
    Reader,
    Writer,
    agent_for,
    find_agent_for,
    permit,
)
from auth_server.administration_bodies import Reason
from auth_server.administration_shown import grant_shown
from auth_server.audit import record
from auth_server.delegation_grants import in_force, withdraw_grant
from auth_server.documented import ADMINISTERED, problem
from auth_server.json_body import body, documented_body
from auth_server.own_interfaces import no_store
from auth_server.problems import Refused
from auth_server.tables import DelegationGrant
from delegation.record import of_token

router = APIRouter(prefix="/admin", tags=["administration"], dependencies=[Depends(no_store)])


@router.get("/agent/grants", name="agent.grants", responses=ADMINISTERED | problem(404))
def grants_of_agent(
    caller: Reader, agent_id: OfAgent, limit: Limit = 50, offset: Offset = 0
) -> dict[str, Any]:
    """Count what customers ever allowed the agent, and list what is in force, newest first."""
    with caller.transaction() as (db, member):
        agent_for(db, member, agent_id)
        permit(db, caller, "agent.grants", agent_id)
        now = caller.context.now()
        page = db.scalars(
            select(DelegationGrant)
            .where(DelegationGrant.agent == agent_id, in_force(now))
            .order_by(DelegationGrant.created_at.desc(), DelegationGrant.grant_id)
            .limit(limit)
            .offset(offset)
        )
        return {"numbers": _numbers(db, agent_id, now), "grants": [grant_shown(grant) for grant in page]}


@router.post(
    "/grants/{grant_id}/withdraw",
    name="grant.withdraw",
    status_code=204,
    response_class=Response,
    responses=ADMINISTERED | problem(404, 413, 415),
    openapi_extra=documented_body(Reason),
)
def withdraw_for_customer(
    caller: Writer,
    grant_id: Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")],
    because: Annotated[Reason, body(Reason)],
) -> None:
    """Withdraw a customer's grant; what the agent holds under it ends as well."""
    with caller.transaction() as (db, member):
        # Its columns and no object: what is read here must not stand in for what is held below.
        named = select(DelegationGrant.sub, DelegationGrant.agent).where(DelegationGrant.grant_id == grant_id)
        found = db.execute(named).one_or_none()
        if found is None or find_agent_for(db, member, found.agent, hold=True) is None:
            raise Refused(404, _NO_GRANT)
        by = caller.by(because.reason)
        grant = withdraw_grant(db, found.sub, grant_id, by.at)
        if grant is None:
            raise Refused(404, _NO_GRANT)
        fields = of_token(by.token) | {"act": (grant.agent,), "scope": grant.scope, "time": by.at}
        reason, resource = f"{by.who}, for {grant.sub}: {by.why}", f"/grants/{grant.grant_id}"
        record(db, 1, "permit", reason, "grant.withdraw", resource=resource, **fields)


_NO_GRANT = "There is no such grant in force; list the agent's grants to see which there are."


def _numbers(db: Session, agent_id: str, now: datetime) -> dict[str, int]:
    withdrawn = DelegationGrant.withdrawn_at.is_not(None)
    expired = and_(DelegationGrant.withdrawn_at.is_(None), DelegationGrant.expires_at <= now)
    kinds = {"in_force": in_force(now), "withdrawn": withdrawn, "expired": expired}
    counts = [func.count(case((condition, 1))) for condition in kinds.values()]
    row = db.execute(select(*counts).where(DelegationGrant.agent == agent_id)).one()
    return dict(zip(kinds, row, strict=True))
