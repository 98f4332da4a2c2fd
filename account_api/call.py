"""A request's decision and its record: every permit and every deny is written exactly once (step 6)."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection
from starlette.requests import Request

from account_api import problems, tables
from account_api.database import Database, DatabaseUnavailable
from delegation.clock import Clock
from delegation.problem import Problem
from delegation.record import Decision, Record, of_token, print_record
from delegation.record_table import append_records
from delegation.token import AccessToken
from delegation.verification import TokenVerifier

_SERVICE: Final = "account_api"
_STEP: Final = 6
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Recorder:
    """Writes the one record of a request. `record_id` is its decision id, once it is written.

    `resource` holds nothing that a caller wrote but the id of an account, so no record can hold a secret that
    somebody put into an address.
    """

    database: Database
    clock: Clock
    operation: str
    resource: str | None = None
    token: AccessToken | None = None
    record_id: str | None = None

    def record(self, decision: Decision, reason: str) -> Record:
        """Return the record of this request, as it is known now."""
        return Record(
            service=_SERVICE,
            step=_STEP,
            decision=decision,
            reason=reason,
            operation=self.operation,
            resource=self.resource,
            time=self.clock(),
            **of_token(self.token),
        )

    def refuse(self, problem: Problem) -> Problem:
        """Record a refusal and return its answer: `problem`, or 503 if the row cannot be written."""
        record = self.record("deny", str(problem))
        try:
            with self.database.transaction() as db:
                append_records(db, tables.record, [record])
        except DatabaseUnavailable:
            return self.refuse_for_outage()
        self.publish(record)
        return problem

    def refuse_for_outage(self) -> Problem:
        """Record on standard output alone that the database cannot be used, and return that answer."""
        problem = problems.temporarily_unavailable("The database")
        self.publish(self.record("deny", str(problem)))
        return problem

    def publish(self, record: Record) -> None:
        """Print a record whose row is committed, or cannot be."""
        self.record_id = record.decision_id
        try:
            print_record(record)
        except OSError:
            # What is committed cannot be refused any more because nobody reads standard output.
            _log.exception("record %s could not be printed", record.decision_id)


@dataclass
class Call:
    """An authorised request, as an endpoint sees it. It is a permit unless the endpoint says otherwise."""

    token: AccessToken
    _recorder: Recorder
    _verifier: TokenVerifier
    _decision: Decision = "permit"
    _reason: str = "the token suffices and the resource is the customer's own"

    @property
    def sub(self) -> str:
        """Return the customer that the call is made for."""
        return self.token.subject

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        return self._recorder.clock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give the transaction that holds the endpoint's work and its record: both are kept, or neither.

        The token was verified before the body had come, which may be long ago: it must still be good. So it
        must once more at the end: meanwhile others' locks may have been waited for.

        Raises:
            DatabaseUnavailable: neither was kept.
            InvalidToken: the token has expired or ended meanwhile.
            Unverifiable: it cannot be known whether it has.
        """
        with self._recorder.database.transaction() as db:
            self._verifier.check_still_good(self.token)
            yield db
            record = self._recorder.record(self._decision, self._reason)
            append_records(db, tables.record, [record])
            self._verifier.check_still_good(self.token)
        self._recorder.publish(record)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a transaction that only reads: for long readings, whose record is a transaction of its own.

        Raises:
            DatabaseUnavailable: the database cannot be worked with now.
        """
        with self._recorder.database.reading() as db:
            yield db

    def decided(self, decision: Decision, reason: str, resource: str | None = None) -> None:
        """Say, within the transaction, what its record shall tell; `resource` where it is narrower now."""
        self._decision, self._reason = decision, reason
        self._recorder.resource = resource or self._recorder.resource


async def call_of(request: Request) -> Call:
    """Return the authorised call that `RecordedRoute` made of this request."""
    call = request.state.call
    assert isinstance(call, Call)  # noqa: S101 - tells the type checker; `state` has no types
    return call
