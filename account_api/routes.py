"""The account API's operations. What each needs of the token stands on its route."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse, Response

from account_api import operations, tables
from account_api.access import needs
from account_api.call import Call, call_of
from account_api.openapi import refusals
from account_api.recorded_route import RecordedRoute
from account_api.representations import (
    AccountId,
    AccountList,
    Balance,
    IdempotencyKey,
    RecordList,
    TransactionPage,
    TransactionsQuery,
    Transfer,
    TransferRequest,
)
from delegation.audit_query import AuditQuery
from delegation.own_records import MOST_OWN_RECORDS, newest_records_of
from delegation.problem import MEDIA_TYPE
from delegation.record_query import answers
from delegation.record_table import records_of

CallDep = Annotated[Call, Depends(call_of)]

router: Final = APIRouter(route_class=RecordedRoute)


@router.get(
    "/accounts",
    operation_id="account.list",
    openapi_extra=needs("account:read_balance"),
    responses=refusals(),
)
def list_accounts(call: CallDep) -> AccountList:
    """The customer's accounts with their balances."""
    return operations.list_accounts(call)


@router.get(
    "/accounts/{account_id}/balance",
    operation_id="account.read_balance",
    openapi_extra=needs("account:read_balance"),
    responses=refusals(404, 422),
)
def read_balance(account_id: AccountId, call: CallDep) -> Balance:
    """One account's balance."""
    return operations.read_balance(call, account_id)


@router.get(
    "/accounts/{account_id}/transactions",
    operation_id="account.read_transactions",
    openapi_extra=needs("account:read_transactions"),
    responses=refusals(404, 422),
)
def read_transactions(
    account_id: AccountId, call: CallDep, query: Annotated[TransactionsQuery, Query()]
) -> TransactionPage:
    """One account's entries, newest first; a new entry never moves those on later pages."""
    return operations.read_transactions(call, account_id, query)


@router.post(
    "/transfers",
    operation_id="account.transfer",
    openapi_extra=needs("account:transfer"),
    status_code=201,
    response_model=Transfer,
    responses=refusals(404, 413, 422),
)
def transfer(
    order: TransferRequest,
    call: CallDep,
    idempotency_key: Annotated[IdempotencyKey, Header(alias="Idempotency-Key")],
) -> JSONResponse:
    """Send money to a saved payee or to an own account; executed once for each Idempotency-Key."""
    outcome = operations.transfer(call, order, idempotency_key)
    media_type = "application/json" if outcome.status == HTTPStatus.CREATED else MEDIA_TYPE
    return JSONResponse(outcome.body, outcome.status, media_type=media_type)


@router.get(
    "/audit",
    operation_id="audit.read",
    openapi_extra=needs("audit:read", agents=False),
    response_class=JSONResponse,
    responses=refusals(422)
    | {200: {"description": "Records", "content": {"application/jsonl": {}, "text/csv": {}}}},
)
def read_everybodys_records(call: CallDep, query: Annotated[AuditQuery, Query()]) -> Response:
    """The records of everybody, for auditors; `next` is the position to go on from."""
    with call.reading() as db:
        found = answers(db, tables.record, query.question, query.page)
    with call.transaction():
        pass  # the record of the reading, without which nothing is shown
    return query.answer(found)


@router.get(
    "/records",
    operation_id="records.read",
    openapi_extra=needs(agents=False),
    responses=refusals(422),
)
def read_records(
    call: CallDep,
    trace_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$", description="W3C trace id")] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="`next` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_OWN_RECORDS)] = MOST_OWN_RECORDS,
    *,
    delegated: Annotated[bool, Query(description="Only those in which an agent acted")] = False,
) -> RecordList:
    """The customer's own records: of one trace, oldest first; without `trace_id` newest first, paged."""
    with call.transaction() as db:
        if trace_id is not None:
            return RecordList(records=records_of(db, tables.record, call.sub, trace_id))
        found, following = newest_records_of(
            db, tables.record, call.sub, before=before, limit=limit, delegated=delegated
        )
        return RecordList(records=found, next=following)
