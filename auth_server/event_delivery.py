"""Security events for resources: delivered by poll, with long polling (RFC 8936)."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from auth_server.authorization_server import NO_STORE
from auth_server.clients import Receiver
from auth_server.context import Context, InContext
from auth_server.documented import PROTECTED, problem
from auth_server.event_streams import acknowledge, has_pending, open_stream, pending
from auth_server.event_tables import SecurityEvent
from auth_server.json_body import body, documented_body
from auth_server.own_interfaces import needs
from auth_server.scopes import SECURITY_EVENTS
from delegation.bearer import InsufficientScope, InvalidToken
from delegation.database import reading
from delegation.in_thread import in_thread
from delegation.problem import Problem
from delegation.scope import Scope
from delegation.security_event import SESSION_REVOKED, TYP, Ended, subject_of
from delegation.token import AccessToken, DelegationToken

LONGEST_WAIT_SECONDS: Final = 3.0
"""A poll is answered after so long although nothing has happened: that too is news."""
_BETWEEN_LOOKS_SECONDS: Final = 0.1
"""Events are looked for in the database: they may come from another process, such as the command line."""
_MOST_LOGGED: Final = 5
_MOST_AT_ONCE: Final = 200

router = APIRouter(tags=["security events"])
_log = logging.getLogger(__name__)
_Jti = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!-~]+$")]


class Poll(BaseModel):
    """A poll request (RFC 8936 §2.4)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    max_events: Annotated[int, Field(alias="maxEvents", ge=0)] = _MOST_AT_ONCE
    return_immediately: Annotated[bool, Field(alias="returnImmediately")] = False
    ack: Annotated[list[_Jti], Field(max_length=_MOST_AT_ONCE)] = []
    set_errs: Annotated[dict[_Jti, dict[str, Any]], Field(alias="setErrs", max_length=_MOST_AT_ONCE)] = {}


def check_receiver_token(token: AccessToken, context: Context, scope: Scope) -> None:
    """Check that a receiver of events holds this token for itself.

    Raises:
        InvalidToken: it is for another audience, or not a receiver's own.
        InsufficientScope: it lacks the scope.
    """
    client = context.server.clients.get(token.client_id)
    own = token.subject == token.client_id and not isinstance(token, DelegationToken)
    if token.audience != (context.settings.issuer,) or not own or not isinstance(client, Receiver):
        raise InvalidToken("This token is not for this interface.")
    if not scope <= token.scope:
        raise InsufficientScope("The token does not carry the scope that this needs.", scope)


@router.post(
    "/events/{stream_id}",
    name="events.poll",
    responses=PROTECTED | problem(404, 415, 422),
    response_model=None,
    openapi_extra=documented_body(Poll),
)
async def poll(
    context: InContext,
    token: Annotated[AccessToken, needs(*SECURITY_EVENTS, check=check_receiver_token)],
    stream_id: Annotated[str, Path(pattern=r"^[\w-]{16,64}$")],
    asked: Annotated[Poll, body(Poll)],
    request: Request,
) -> JSONResponse:
    """Deliver the events of a stream, which begins with its first poll (RFC 8936 §2.4)."""
    for jti, fault in list(asked.set_errs.items())[:_MOST_LOGGED]:
        _log.warning("%s does not take event %r: %r", token.client_id, jti, str(fault.get("err"))[:64])
    most = min(asked.max_events, _MOST_AT_ONCE)
    began = time.monotonic()
    await in_thread(_begin, context, token, stream_id, asked.ack)
    while True:
        events = await in_thread(_events, context, stream_id, most)
        over = asked.return_immediately or time.monotonic() - began > LONGEST_WAIT_SECONDS
        if events or over or not most or await request.is_disconnected():
            break
        await _until_another(context, request, stream_id, began + LONGEST_WAIT_SECONDS)
    sets = await in_thread(_signed, context, events[:most], token.client_id)
    return JSONResponse({"sets": sets, "moreAvailable": len(events) > most}, headers=NO_STORE)


def _begin(context: Context, token: AccessToken, stream_id: str, acknowledged: list[str]) -> None:
    with context.transaction() as db:
        if not open_stream(db, stream_id, token.client_id, context.now()):
            raise Problem(404, "There is no such stream.")
        acknowledge(db, stream_id, acknowledged)


def _events(context: Context, stream_id: str, most: int) -> list[SecurityEvent]:
    with context.transaction() as db:
        return list(pending(db, stream_id, most + 1, context.now()))


async def _until_another(context: Context, request: Request, stream_id: str, until: float) -> None:
    """Return when there is an event, when it is time to answer, or when nobody waits any more.

    The events themselves are looked for. A number or the highest id would not do: on PostgreSQL a lower id
    may be committed after a higher one, and in the same moment another event may be removed.
    """
    while time.monotonic() <= until and not await request.is_disconnected():
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        if await in_thread(_has_events, context, stream_id):
            return


def _has_events(context: Context, stream_id: str) -> bool:
    # Many times a second, so without the lock that a transaction takes on SQLite.
    with reading(context.engine) as connection:
        return has_pending(connection, stream_id, context.now())


def _signed(context: Context, events: list[SecurityEvent], audience: str) -> dict[str, str]:
    """Return each event as a security event token for one receiver (RFC 8417 §2.2), by its `jti`."""
    issuer, key = context.settings.issuer, context.server.tokens.keys.current()
    return {event.jti: key.sign(_claims(event, issuer) | {"aud": audience}, typ=TYP) for event in events}


def _claims(event: SecurityEvent, issuer: str) -> dict[str, Any]:
    seconds = int(event.occurred_at.timestamp())
    about: Mapping[str, Any] = {"event_timestamp": seconds} if event.kind == SESSION_REVOKED else {}
    return {
        "iss": issuer,
        "jti": event.jti,
        "iat": seconds,
        "toe": seconds,
        "sub_id": subject_of(Ended(event.occurred_at, event.ended_jti, event.party, event.sub), issuer),
        "events": {event.kind: about},
    }


@router.get("/.well-known/ssf-configuration")
def configuration(context: InContext) -> dict[str, Any]:
    """Say how events are delivered (Shared Signals Framework 1.0 §7.1)."""
    issuer = context.settings.issuer
    return {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        "delivery_methods_supported": ["urn:ietf:rfc:8936"],
        "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
        "default_subjects": "ALL",
    }
