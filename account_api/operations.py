"""The bank's operations, however they are called: REST's routes and MCP's tools are over these functions."""

from account_api import accounts, transactions, transfers
from account_api.call import Call
from account_api.idempotency import OrderKey, Outcome
from account_api.representations import (
    Account,
    AccountList,
    Balance,
    Transaction,
    TransactionPage,
    TransactionsQuery,
    TransferRequest,
)


def list_accounts(call: Call) -> AccountList:
    """Return the customer's accounts with their balances."""
    with call.transaction() as db:
        return AccountList(accounts=[Account.of(held) for held in accounts.held_by(db, call.sub)])


def read_balance(call: Call, account_id: str) -> Balance:
    """Return one account's balance.

    Raises:
        Problem: 404, the customer has no such account.
    """
    with call.transaction() as db:
        held = accounts.held_account(db, call.sub, account_id)
        return Balance.of(held, as_of=call.now())


def read_transactions(call: Call, account_id: str, query: TransactionsQuery) -> TransactionPage:
    """Return one account's entries, newest first.

    Raises:
        Problem: 404, the customer has no such account; 422, the cursor is not one of ours.
    """
    with call.transaction() as db:
        held = accounts.held_account(db, call.sub, account_id)
        page = transactions.page(
            db,
            account_id,
            booked_from=query.booked_from,
            booked_to=query.booked_to,
            limit=query.limit,
            cursor=query.cursor,
        )
        return TransactionPage(
            account_id=account_id,
            transactions=[Transaction.of(row, held.currency) for row in page.rows],
            next_cursor=page.next_cursor,
        )


def transfer(call: Call, order: TransferRequest, idempotency_key: str) -> Outcome:
    """Execute the order once for its key, and return the receipt or the refusal, now or as the first time.

    Raises:
        Problem: 422, the key stands for another order; 403, it is for more than the token's limit.
    """
    with call.transaction() as db:
        key, limit = OrderKey.of(call.token, idempotency_key), call.token.account_transfer
        done = transfers.execute(db, key, order, limit, call.now())
        call.decided(done.decision, done.reason, done.resource)
    return done.outcome
