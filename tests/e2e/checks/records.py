"""Each decision leaves a record, the refusals too (draft-ietf-wimse-aims)."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from tests.e2e.app import SignedOn
from tests.e2e.check import check
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import Failed, NotRun

Record = Mapping[str, Any]

_OPERATION: Final = "token.exchange"


@check("LC-77")
def permit_and_deny_are_recorded(target: Target) -> None:
    """Make an exchange that is permitted and one that is not, each in a trace of its own; read the records.

    The refused one asks for a scope that is withheld, or sends a garbled actor token. Whether tampering shows
    is not tried, nor which other services keep records.
    """
    server, subject, sign_on = target.authorization_server, target.file.subject_token, target.file.sign_on
    assert subject
    assert sign_on
    withheld = server.exchange_section.withheld_scope
    if not server.section.records_endpoint:
        raise NotRun("It takes the address where a customer reads records: records_endpoint.")
    signed_on = server.app.sign_on()
    subject_token = signed_on.token_for(subject.resource, subject.scope)
    wrong = {"scope": withheld} if withheld else {"actor_token": "garbled"}
    customer = claims_of(subject_token).get("sub", sign_on.customer)
    for decision, changes in (("permit", {}), ("deny", wrong)):
        trace_id = secrets.token_hex(16)
        form = server.exchange_form(subject_token=subject_token, **changes)
        answer = server.token(
            form, server.agent, [("traceparent", f"00-{trace_id}-{secrets.token_hex(8)}-01")]
        )
        if decision == "permit":
            target.expect.accepted(answer, "the legitimate exchange")
        else:
            target.expect.refused(answer, "an exchange with one thing wrong")
        record = _record(target, signed_on, trace_id, decision)
        _is_complete(target, record, trace_id, customer)


def _record(target: Target, signed_on: SignedOn, trace_id: str, decision: str) -> Record:
    server = target.authorization_server
    own = [("Authorization", f"Bearer {signed_on.token_for(server.issuer)}")]
    url = f"{server.section.records_endpoint}?{urlencode({'trace_id': trace_id})}"
    answer = target.wire.get(url, own)
    target.expect.accepted(answer, "a customer who reads their records")
    records = [one for one in answer.listed("records") if one.get("operation") == _OPERATION]
    decisions = [one.get("decision") for one in records]
    if decisions != [decision]:
        found = ", ".join(map(str, decisions)) or "none"
        raise Failed(f"one record of the exchange in its trace: {decision}", found)
    record: Record = records[0]
    return record


def _is_complete(target: Target, record: Record, trace_id: str, customer: str) -> None:
    section = target.authorization_server.exchange_section
    agent = target.authorization_server.agent.client_id
    facts = {
        f"the agent, {agent}": agent in (record.get("client_id"), *_listed(record, "act")),
        f"the customer, {customer}": record.get("sub") == customer,
        f"the trace, {trace_id}": record.get("trace_id") == trace_id,
        "a time with its zone": _is_time(record.get("time")),
        "a reason": bool(record.get("reason")),
    }
    if section.target:
        facts[f"the resource, {section.target}"] = section.target in _listed(record, "aud")
    for what, holds in facts.items():
        target.expect.that(
            f"the record of a {record.get('decision')}", f"to hold {what}", dict(record), holds=holds
        )


def _listed(record: Record, name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else [value]


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
