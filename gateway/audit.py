"""The gateway's own records, for auditors: who may read them, and the answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from delegation.audit_query import AuditQuery
from delegation.bearer import BearerError, InsufficientScope, InvalidToken, bearer_token
from delegation.clock import Clock
from delegation.in_thread import in_thread
from delegation.record import Record, of_token, print_record
from delegation.record_query import answers
from delegation.scope import Scope
from delegation.token import AccessToken, DelegationToken
from delegation.unverifiable import Unverifiable
from delegation.verification import TokenVerifier
from gateway import tables
from gateway.decision import Deny
from gateway.decision_log import CannotRecord, DecisionLog
from gateway.problems import refused
from gateway.record_store import RecordStore
from gateway.refusals import deny_token, deny_unverifiable

PATH: Final = "/audit"
SCOPE: Final = Scope({"audit:read"})
_OPERATION: Final = "audit.read"
_STEP: Final = 5
_NEXT_STEP: Final = "Send an auditor's own token, with the scope audit:read, as Bearer."


class Auditing:
    """Answers `GET /audit` to whoever holds a token of their own with the scope for it."""

    def __init__(
        self,
        verifier: Callable[[], TokenVerifier],
        store: RecordStore,
        decisions: DecisionLog,
        clock: Clock,
        metadata_url: str,
    ) -> None:
        """`verifier` is asked each time: for whom tokens must be, the policy says, and that can change."""
        self._verifier = verifier
        self._store = store
        self._decisions = decisions
        self._clock = clock
        self._metadata_url = metadata_url

    async def answer(self, request: Request) -> Response:
        """List records; reading them is a record, too, and not without it."""
        token = None
        try:
            token = await self._auditor(request)
            query = AuditQuery.model_validate(dict(request.query_params))
            record = self._record(None, token)
            await self._decisions.permit_on_disk(record)
            print_record(record)
        except BearerError as error:
            return self._refused(replace(deny_token(error), next_step=_NEXT_STEP), token)
        except Unverifiable as error:
            return self._refused(deny_unverifiable(error.lack), token)
        except CannotRecord as error:
            return self._refused(
                Deny(503, "temporarily-unavailable", str(error), "Try again shortly."), token
            )
        except ValidationError as error:
            names = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}))
            deny = Deny(
                422, "malformed-question", f"Malformed or unknown: {names}.", "See the gateway's README."
            )
            return self._refused(deny, token)
        return query.answer(await in_thread(self._answers, query))

    async def _auditor(self, request: Request) -> AccessToken:
        encoded = bearer_token(request.headers.getlist("authorization"), request.query_params)
        token = await self._verifier().verify(encoded)
        if isinstance(token, DelegationToken) or token.may_act is not None:
            raise InvalidToken("Nobody reads the records for somebody else.")
        if not token.scope >= SCOPE:
            raise InsufficientScope("The token does not carry the scope that this needs.", SCOPE)
        return token

    def _answers(self, query: AuditQuery) -> list[dict[str, object]]:
        with self._store.reading() as connection:
            return [dict(one) for one in answers(connection, tables.record, query.question, query.page)]

    def _refused(self, deny: Deny, token: AccessToken | None) -> Response:
        record = self._record(deny, token)
        self._decisions.refusal(record)
        print_record(record)
        return refused(deny, {"decision-id": record.decision_id}, self._metadata_url)

    def _record(self, deny: Deny | None, token: AccessToken | None) -> Record:
        return Record(
            service="gateway",
            step=_STEP,
            decision="deny" if deny else "permit",
            reason=deny.reason if deny else "an auditor's own token",
            operation=_OPERATION,
            time=self._clock(),
            **of_token(token),
        )
