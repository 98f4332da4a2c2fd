"""The records of this server, for those who audit it: asked by customer, agent, operation, time; exported."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from auth_server.administration import agent_for, permit
from auth_server.documented import ADMINISTERED, problem
from auth_server.problems import Refused
from auth_server.staff_access import Caller, staff
from auth_server.tables import RECORD, Staff
from delegation.audit_query import AuditQuery
from delegation.database import reading
from delegation.record_query import answers

router = APIRouter(tags=["audit"])


@router.get(
    "/audit",
    name="audit.read",
    response_class=JSONResponse,
    responses=ADMINISTERED
    | problem(404)
    | {200: {"description": "Records", "content": {"application/jsonl": {}, "text/csv": {}}}},
)
def audit(caller: Annotated[Caller, staff("audit:read")], query: Annotated[AuditQuery, Query()]) -> Response:
    """List records of everybody, or of one of an owner's agents. Reading them is a record, too.

    `next` is the position to go on from, as `after` or as `before`. They are read in a transaction of
    their own, which nobody who writes waits for; who may is checked before it and after it.
    """
    with caller.transaction() as (db, member):
        _check_agent(db, member, query.agent)
    with reading(caller.context.engine) as connection:
        found = answers(connection, RECORD, query.question, query.page)
    with caller.transaction() as (db, member):
        _check_agent(db, member, query.agent)
        permit(db, caller, "audit.read", query.agent)
    return query.answer(found)


def _check_agent(db: Session, member: Staff, agent: str | None) -> None:
    if member.role == "owner":
        if agent is None:
            raise Refused(403, "An owner reads the records of its own agents: name one, with agent.")
        agent_for(db, member, agent)
