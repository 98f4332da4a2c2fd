"""Transactions, and the records of what was decided in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from auth_server.tables import RECORD
from delegation.record import Decision, Record, print_record
from delegation.record_table import insert_record

_UNPRINTED = "records"


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """Run one transaction; print its records once it is committed, so that no line tells of what was not."""
    with Session(engine, expire_on_commit=False) as db:
        with db.begin():
            yield db
        for record in db.info.pop(_UNPRINTED, []):
            print_record(record)


def entry(step: int, decision: Decision, reason: str, operation: str, **fields: Any) -> Record:
    """Return a record of this service."""
    return Record(
        service="auth_server", step=step, decision=decision, reason=reason, operation=operation, **fields
    )


def keep(db: Session, record: Record) -> None:
    """Keep a record in this transaction: it is there if and only if the effect is."""
    insert_record(db.connection(), RECORD, record)
    db.info.setdefault(_UNPRINTED, []).append(record)


def record(db: Session, step: int, decision: Decision, reason: str, operation: str, **fields: Any) -> None:
    """Record a decision in this transaction."""
    keep(db, entry(step, decision, reason, operation, **fields))
