"""Twins whose resource does not hear of tokens that have ended, or not of all (RFC 7009 §3)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from unittest.mock import patch

from sqlalchemy.orm import Session

import auth_server.ended_tokens
import auth_server.security_events
from auth_server.tables import IssuedToken
from delegation.revocations import Revocations
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin


@twin("LC-92", "hears of ended tokens, and takes them until they expire")
def takes_ended_tokens(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at signature and claims alone."""
    return patch.object(Revocations, "check", lambda *_: None)


@twin("LC-92", "tells the resources nothing")
def tells_nothing(_stack: InProcess) -> AbstractContextManager[object]:
    """End tokens at the authorization server alone."""
    return patch.object(auth_server.ended_tokens, "tokens_ended", lambda *_: None)


@twin("LC-92", "tells of a token and not of what was exchanged for it")
def tells_of_no_descendants(_stack: InProcess) -> AbstractContextManager[object]:
    """Name the one that was revoked."""

    def none(_db: Session, _parents: Sequence[IssuedToken], _now: datetime) -> list[IssuedToken]:
        return []

    return patch.object(auth_server.security_events, "_exchanged_for", none)


@twin("LC-92", "tells that everything of the customer's has ended")
def tells_too_much(_stack: InProcess) -> AbstractContextManager[object]:
    """Name the customer in the place of the token."""

    def of_everybody(db: Session, live: Sequence[IssuedToken], now: datetime) -> None:
        for token in live:
            # Those without a time of issue were signed for other checks: naming them floods the gateway.
            theirs = db.query(IssuedToken).filter_by(sub=token.sub)
            issued = theirs.filter(IssuedToken.issued_at.is_not(None), IssuedToken.expires_at > now)
            auth_server.security_events.party_disabled(db, token.sub, issued.all(), now)

    return patch.object(auth_server.ended_tokens, "tokens_ended", of_everybody)
