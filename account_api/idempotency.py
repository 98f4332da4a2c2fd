"""An order with an Idempotency-Key is executed once, and every repeat gets the first outcome.

The key, the outcome and the ledger's entries are written in one transaction, so a crash keeps all or none
(draft-ietf-httpapi-idempotency-key-header). Keys are kept as long as the ledger.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, select
from sqlalchemy.exc import IntegrityError

from account_api import problems, tables
from delegation.token import AccessToken

_order = tables.transfer_order
_KEY: Final = ("sub", "client_id", "actor", "idempotency_key")
_IS_ROW: Final = and_(*(_order.c[name] == bindparam(f"its_{name}") for name in _KEY))
_CLAIM: Final = _order.insert()
_FIND: Final = select(_order).where(_IS_ROW)
_KEEP: Final = _order.update().where(_IS_ROW)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended: status and JSON body of its answer, a receipt or a problem document."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """A key belongs to the customer, the client and the actor that chose it: no other can meet it."""

    sub: str
    client_id: str
    actor: str
    key: str

    @classmethod
    def of(cls, token: AccessToken, key: str) -> "OrderKey":
        """Return the key as its caller owns it."""
        return cls(sub=token.subject, client_id=token.client_id, actor=next(iter(token.actors), ""), key=key)

    def columns(self) -> dict[str, str]:
        """Return the key's columns."""
        return dict(zip(_KEY, (self.sub, self.client_id, self.actor, self.key), strict=True))

    def row(self) -> dict[str, str]:
        """Return the key's columns as `_IS_ROW` asks for them."""
        return {f"its_{name}": value for name, value in self.columns().items()}


def first_outcome(db: Connection, key: OrderKey, canonical_request: bytes) -> Outcome | None:
    """Claim the key for this order and return None, or return the outcome that it already has.

    Another transaction that has claimed the key is waited for: by PostgreSQL on the primary key, by SQLite on
    the write lock.

    Raises:
        Problem: 422, the key stands for an order with another body.
    """
    digest = hashlib.sha256(canonical_request).hexdigest()
    try:
        with db.begin_nested():
            db.execute(_CLAIM, {**key.columns(), "request_sha256": digest})
    except IntegrityError:
        row = db.execute(_FIND, key.row()).one()
        if row.request_sha256 != digest:
            raise problems.idempotency_key_reused() from None
        return Outcome(row.status, row.body)
    return None


def keep_outcome(db: Connection, key: OrderKey, outcome: Outcome) -> None:
    """Write down how the order of a claimed key ended."""
    db.execute(_KEEP, {**key.row(), "status": outcome.status, "body": outcome.body})
