"""Transfers: decided and booked under the accounts' locks, once for each Idempotency-Key."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from sqlalchemy import Connection, select

from account_api import accounts, ledger, problems, tables
from account_api.idempotency import OrderKey, Outcome, first_outcome, keep_outcome
from account_api.money import Money
from account_api.payees import Destination, destination
from account_api.representations import Recipient, Transfer, TransferRequest
from delegation.authorization_details import AccountTransfer
from delegation.problem import Problem
from delegation.record import Decision


@dataclass(frozen=True, slots=True)
class Execution:
    """An order's outcome, and whether it is that of an earlier request with the same key."""

    outcome: Outcome
    repeated: bool

    @property
    def decision(self) -> Decision:
        """Return how the ledger decided, now or the first time."""
        return "permit" if self.outcome.status == HTTPStatus.CREATED else "deny"

    @property
    def reason(self) -> str:
        """Return the decision's reason, for the record."""
        reason = self.outcome.body.get("detail", "the transfer is booked")
        return f"repeat of an earlier order, nothing is booked again: {reason}" if self.repeated else reason

    @property
    def resource(self) -> str | None:
        """Return the path that names the transfer, if there is one."""
        transfer_id = self.outcome.body.get("transfer_id")
        return f"/transfers/{transfer_id}" if transfer_id else None


def execute(
    db: Connection, key: OrderKey, order: TransferRequest, limit: AccountTransfer | None, now: datetime
) -> Execution:
    """Book the order, unless its key was used before: then return the first outcome, refusals included.

    `limit` is the token's (RFC 9396 §9.1), and no fault of the order: it is not kept as its outcome. Nor is
    it asked about a repeat, whose caller has to learn that the order was booked.

    Raises:
        Problem: 422, the key stands for another order; 403, it is for more than the limit. Nothing is kept.
    """
    first = first_outcome(db, key, order.model_dump_json().encode())
    if first is not None:
        return Execution(first, repeated=True)
    if limit is not None and not limit.allows(order.amount.amount_minor):
        most = Money(amount_minor=limit.max_amount_minor, currency=order.amount.currency)
        raise problems.transfer_limit_exceeded(most)
    try:
        receipt = _book(db, key.sub, order, now)
        outcome = Outcome(HTTPStatus.CREATED, receipt.model_dump(mode="json"))
    except Problem as refusal:  # raised before anything is booked, so that it can be kept as the outcome
        outcome = Outcome(refusal.status, refusal.body)
    keep_outcome(db, key, outcome)
    return Execution(outcome, repeated=False)


def _book(db: Connection, sub: str, order: TransferRequest, now: datetime) -> Transfer:
    own = {held.account_id: held for held in accounts.held_by(db, sub)}
    if order.from_account not in own:
        raise problems.account_not_found()
    to = destination(db, sub, own, order.to)
    _check_possible(order, own[order.from_account], to)
    # The bank's own accounts have no limit to guard, and locking them would make every transfer wait.
    ledger.lock(db, [order.from_account, *([to.account_id] if to.is_customer_account else [])])
    paying = accounts.held_account(db, sub, order.from_account)
    if paying.available_minor < order.amount.amount_minor:
        raise problems.insufficient_funds()
    transfer_id = str(uuid.uuid4())
    ledger.post(db, [ledger.Transaction(transfer_id, now, _entries(db, sub, order, paying, to))])
    balance_after = paying.balance_minor - order.amount.amount_minor
    return Transfer(
        transfer_id=transfer_id,
        from_account=paying.account_id,
        to=Recipient(name=to.name, kind=to.kind),
        amount=Money(amount_minor=order.amount.amount_minor, currency=paying.currency),
        memo=order.memo,
        booked_at=now,
        balance_after=Money(amount_minor=balance_after, currency=paying.currency),
    )


def _check_possible(order: TransferRequest, paying: accounts.HeldAccount, to: Destination) -> None:
    if to.account_id == paying.account_id:
        raise problems.same_account()
    if not order.amount.currency == paying.currency == to.currency:
        raise problems.currency_mismatch(paying.currency)


def _entries(
    db: Connection, sub: str, order: TransferRequest, paying: accounts.HeldAccount, to: Destination
) -> tuple[ledger.Entry, ...]:
    if to.kind == "own_account":
        payer = paying.name
    else:
        payer = db.scalar(select(tables.customer.c.name).where(tables.customer.c.sub == sub)) or ""
    amount = order.amount.amount_minor
    return (
        ledger.Entry(
            account_id=paying.account_id,
            amount_minor=-amount,
            counterparty=to.name,
            description=order.memo or f"Transfer to {to.name}",
            category="transfer",
        ),
        ledger.Entry(
            account_id=to.account_id,
            amount_minor=amount,
            counterparty=payer,
            description=order.memo or f"Transfer from {payer}",
            category="transfer",
        ),
    )
