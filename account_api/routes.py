"""The account API's operations. What each needs of the token stands on its route."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BeforeValidator

from account_api import accounts, tables, transactions, transfers
from account_api.access import needs
from account_api.bank import Bank, bank_of
from account_api.call import Call, call_of
from account_api.idempotency import OrderKey
from account_api.openapi import refusals
from account_api.recorded_route import RecordedRoute
from account_api.representations import (
    Account,
    AccountList,
    Balance,
    RecordList,
    Transaction,
    TransactionPage,
    Transfer,
    TransferRequest,
    calendar_day,
)
from delegation.audit_query import AuditQuery
from delegation.own_records import MOST_OWN_RECORDS, newest_records_of
from delegation.problem import MEDIA_TYPE
from delegation.record_query import answers
from delegation.record_table import records_of

CallDep = Annotated[Call, Depends(call_of)]
BankDep = Annotated[Bank, Depends(bank_of)]
AccountId = Annotated[str, Path(description="An account's id", examples=["4001-01"])]
Day = Annotated[date | None, BeforeValidator(calendar_day)]

router: Final = APIRouter(route_class=RecordedRoute)


@router.get(
    "/accounts",
    operation_id="account.list",
    openapi_extra=needs("account:read_balance"),
    responses=refusals(),
)
def list_accounts(call: CallDep) -> AccountList:
    """The customer's accounts with their balances."""
    with call.transaction() as db:
        return AccountList(accounts=[Account.of(held) for held in accounts.held_by(db, call.sub)])


@router.get(
    "/accounts/{account_id}/balance",
    operation_id="account.read_balance",
    openapi_extra=needs("account:read_balance"),
    responses=refusals(404, 422),
)
def read_balance(account_id: AccountId, call: CallDep, bank: BankDep) -> Balance:
    """One account's balance."""
    with call.transaction() as db:
        held = accounts.held_account(db, call.sub, account_id)
        return Balance(**Account.of(held).model_dump(), as_of=bank.clock())


@router.get(
    "/accounts/{account_id}/transactions",
    operation_id="account.read_transactions",
    openapi_extra=needs("account:read_transactions"),
    responses=refusals(404, 422),
)
def read_transactions(
    account_id: AccountId,
    call: CallDep,
    booked_from: Annotated[Day, Query(alias="from", description="First day (UTC) of booking")] = None,
    booked_to: Annotated[Day, Query(alias="to", description="Last day (UTC) of booking")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=64, description="`next_cursor` of a page")] = None,
) -> TransactionPage:
    """One account's entries, newest first; a new entry never moves those on later pages."""
    with call.transaction() as db:
        held = accounts.held_account(db, call.sub, account_id)
        page = transactions.page(
            db, account_id, booked_from=booked_from, booked_to=booked_to, limit=limit, cursor=cursor
        )
        return TransactionPage(
            account_id=account_id,
            transactions=[Transaction.of(row, held.currency) for row in page.rows],
            next_cursor=page.next_cursor,
        )


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
    bank: BankDep,
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=128,
            pattern=r"^[!-~]+$",
            description="A new random value for each order; a repeat with the same value is answered alike.",
        ),
    ],
) -> JSONResponse:
    """Send money to a saved payee or to an own account; executed once for each Idempotency-Key."""
    with call.transaction() as db:
        key, limit = OrderKey.of(call.token, idempotency_key), call.token.account_transfer
        done = transfers.execute(db, key, order, limit, bank.clock())
        call.decided(done.decision, done.reason, done.resource)
    media_type = "application/json" if done.decision == "permit" else MEDIA_TYPE
    return JSONResponse(done.outcome.body, done.outcome.status, media_type=media_type)


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
