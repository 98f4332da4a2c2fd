"""The records of this server, for those who audit it: asked by customer, agent, operation, time; exported."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator

from auth_server.administration import agent_for, permit
from auth_server.authorization_server import NO_STORE
from auth_server.documented import ADMINISTERED, problem
from auth_server.problems import Refused
from auth_server.staff_access import Caller, staff
from auth_server.tables import RECORD
from delegation.record_export import as_csv, as_json_lines
from delegation.record_query import MOST_AT_ONCE, Page, Question, answers

router = APIRouter(tags=["audit"])
Name = Annotated[str | None, Query(max_length=512, pattern=r"^[^\x00-\x1f]*$")]
Hex = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")]
Position = Annotated[int, Query(ge=0, lt=2**63)]


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("beyond what a time can be") from error


Time = Annotated[datetime, AfterValidator(_in_utc)]


def _question(
    sub: Name = None,
    agent: Name = None,
    operation: Name = None,
    decision: Literal["permit", "deny"] | None = None,
    since: Annotated[Time | None, Query(alias="from", description="then or later; UTC")] = None,
    until: Annotated[Time | None, Query(alias="to", description="before then; UTC")] = None,
    trace_id: Hex = None,
    jti: Name = None,
) -> Question:
    return Question(
        sub=sub,
        agent=agent,
        operation=operation,
        decision=decision,
        since=since,
        until=until,
        trace_id=trace_id,
        jti=jti,
    )


def _page(
    after: Position = 0,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
    order: Literal["oldest", "newest"] = "oldest",
) -> Page:
    return Page(after=after, before=before, limit=limit, newest_first=order == "newest")


@router.get(
    "/audit",
    name="audit.read",
    response_class=JSONResponse,
    responses=ADMINISTERED
    | problem(404)
    | {200: {"description": "Records", "content": {"application/jsonl": {}, "text/csv": {}}}},
)
def audit(
    caller: Annotated[Caller, staff("audit:read")],
    question: Annotated[Question, Depends(_question)],
    page: Annotated[Page, Depends(_page)],
    form: Annotated[Literal["json", "jsonl", "csv"], Query(alias="format")] = "json",
) -> Response:
    """List records of everybody, or of one of an owner's agents. Reading them is a record, too.

    `next` is the position to go on from, as `after` or as `before`.
    """
    with caller.transaction() as (db, member):
        if member.role == "owner":
            if question.agent is None:
                raise Refused(403, "An owner reads the records of its own agents: name one, with agent.")
            agent_for(db, member, question.agent)
        found = answers(db.connection(), RECORD, question, page)
        permit(db, caller, "audit.read", question.agent)
    match form:
        case "jsonl":
            return Response(as_json_lines(found), media_type="application/jsonl", headers=NO_STORE)
        case "csv":
            return Response(as_csv(found), media_type="text/csv", headers=NO_STORE)
    more = found[-1]["position"] if len(found) == page.limit else None
    return JSONResponse({"records": found, "next": more}, headers=NO_STORE)
