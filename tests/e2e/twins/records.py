"""Twins that do not record a decision, or not all of it (draft-ietf-wimse-aims)."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import delegation.trace
from auth_server.authorization_server import AuthorizationServer
from auth_server.oauth_request import ServerRequest
from delegation.record import Decision
from delegation.token_exchange import GRANT_TYPE
from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin

_record = AuthorizationServer._record


@twin("LC-77", "records no refusal of an exchange")
def records_no_deny(_stack: InProcess) -> AbstractContextManager[object]:
    """Keep what was done, and not what was tried."""
    return _without("deny")


@twin("LC-77", "records no exchange that is permitted")
def records_no_permit(_stack: InProcess) -> AbstractContextManager[object]:
    """Keep what went wrong alone."""
    return _without("permit")


def _without(left_out: Decision) -> AbstractContextManager[object]:
    def record(self: AuthorizationServer, request: ServerRequest, decision: Decision, reason: str) -> None:
        if decision != left_out or request.payload.grant_type != GRANT_TYPE:
            _record(self, request, decision, reason)

    return patch.object(AuthorizationServer, "_record", record)


@twin("LC-77", "begins a trace of its own for each request")
def begins_its_own_trace(_stack: InProcess) -> AbstractContextManager[object]:
    """Do not read traceparent."""
    return patch.object(delegation.trace, "incoming_trace_id", lambda _traceparent: None)


def _keeps_no(what: str, *names: str, decision: Decision) -> None:
    """Register the twin whose records of one decision lack some members."""

    def keeps_it_not(stack: InProcess) -> AbstractContextManager[None]:
        """Leave it out."""

        def lacking(record: dict[str, Any]) -> dict[str, Any]:
            return record | dict.fromkeys(names) if record["decision"] == decision else record

        async def handle(request: Request, forward: Forward) -> Response:
            answer = await forward(request)
            records = answer.json.get("records") if request.path == "/records" else None
            return answer.with_json(records=list(map(lacking, records))) if records else answer

        return stack.auth_server.inside(layer(handle))

    keeps_it_not.__name__ = f"keeps_no_{what}_of_a_{decision}"
    twin("LC-77", f"keeps no {what} in the record of a {decision}")(keeps_it_not)


_keeps_no("agent", "act", "client_id", decision="deny")
_keeps_no("customer", "sub", decision="permit")
_keeps_no("customer", "sub", decision="deny")
_keeps_no("resource", "aud", decision="deny")
_keeps_no("reason", "reason", decision="deny")
_keeps_no("time", "time", decision="permit")
