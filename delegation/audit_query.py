"""A question to a service's records as it stands in an address, and the answer: the same at every service."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import JSONResponse, Response

from delegation.record_export import as_csv, as_json_lines
from delegation.record_query import MOST_AT_ONCE, Page, Question

_NO_STORE = {"Cache-Control": "no-store"}


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("beyond what a time can be") from error


Name = Annotated[str, StringConstraints(max_length=512, pattern=r"^[^\x00-\x1f]*$")]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Time = Annotated[datetime, AfterValidator(_in_utc)]
Position = Annotated[int, Field(ge=0, lt=2**63)]


class AuditQuery(BaseModel):
    """Which records, which page of them, and in which form.

    `from` is included, `to` is not; UTC unless they say otherwise. `agent` is an actor or the client.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sub: Name | None = None
    agent: Name | None = None
    operation: Name | None = None
    decision: Literal["permit", "deny"] | None = None
    since: Annotated[Time | None, Field(alias="from")] = None
    until: Annotated[Time | None, Field(alias="to")] = None
    trace_id: Hex | None = None
    jti: Name | None = None
    after: Position = 0
    before: Annotated[int | None, Field(ge=1, lt=2**63)] = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 100
    order: Literal["oldest", "newest"] = "oldest"
    form: Annotated[Literal["json", "jsonl", "csv"], Field(alias="format")] = "json"

    @property
    def question(self) -> Question:
        """Return what a record must have."""
        return Question(
            sub=self.sub,
            agent=self.agent,
            operation=self.operation,
            decision=self.decision,
            since=self.since,
            until=self.until,
            trace_id=self.trace_id,
            jti=self.jti,
        )

    @property
    def page(self) -> Page:
        """Return which of them are wanted."""
        return Page(
            after=self.after, before=self.before, limit=self.limit, newest_first=self.order == "newest"
        )

    def answer(self, records: Sequence[Mapping[str, Any]]) -> Response:
        """Return the records in the form that is wanted; `next` is the position to go on from."""
        match self.form:
            case "jsonl":
                return Response(as_json_lines(records), media_type="application/jsonl", headers=_NO_STORE)
            case "csv":
                return Response(as_csv(records), media_type="text/csv", headers=_NO_STORE)
        more = records[-1]["position"] if len(records) == self.limit else None
        return JSONResponse({"records": list(records), "next": more}, headers=_NO_STORE)
