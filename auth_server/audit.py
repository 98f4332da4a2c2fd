"""Transactions, and the records of what was decided in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from auth_server.tables import RECORD
from delegation.record import Decision, Record, print_records
from delegation.record_table import append_records

_KEPT = "records to append"
_UNPRINTED = "records to print"


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Run one transaction; print its records once it is committed, so that no line tells of what was not."""
    with Session(engine, expire_on_commit=False) as db:
        with db.begin():
            yield db
        print_records(db.info.pop(_UNPRINTED, ()))


@contextmanager
def recorded(engine: Engine) -> Iterator[tuple[Connection, list[Record]]]:
    """Run one transaction without a session; whoever runs it puts the records of it into the list.

    They are appended last and printed once it is committed, as those of `transaction` are.
    """
    records: list[Record] = []
    with engine.begin() as connection:
        yield connection, records
        append_records(connection, RECORD, records)
    print_records(records)


@event.listens_for(Session, "before_commit")
def _append(db: Session) -> None:
    """Append the transaction's records to the chain, whoever began it and however it is committed.

    All at once and after everything else: the lock of the chain's head is the last one that is taken.
    """
    if not db.in_nested_transaction() and db.info.get(_KEPT):
        db.flush()
        append_records(db.connection(), RECORD, db.info[_KEPT])
        db.info[_UNPRINTED] = db.info.pop(_KEPT)


def entry(step: int, decision: Decision, reason: str, operation: str, **fields: Any) -> Record:
    """Return a record of this service."""
    return Record(
        service="auth_server", step=step, decision=decision, reason=reason, operation=operation, **fields
    )


def keep(db: Session, record: Record) -> None:
    """Keep a record in this transaction: it is there if and only if the effect is."""
    db.info.setdefault(_KEPT, []).append(record)


def record(db: Session, step: int, decision: Decision, reason: str, operation: str, **fields: Any) -> None:
    """Record a decision in this transaction."""
    keep(db, entry(step, decision, reason, operation, **fields))
