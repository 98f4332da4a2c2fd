"""Twins in which a delegation outlives what it came of (RFC 7009 §2.1, RFC 9700 §4.10)."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from unittest.mock import patch

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

import auth_server.delegation_grants
import auth_server.tokens
from auth_server.held_rows import HeldRows
from auth_server.tables import Base, DelegationGrant, IssuedToken, SignOnSession
from tests.e2e.in_process import InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.layer import Request
from tests.e2e.twins.lenient import issued_anyway
from tests.e2e.twins.twin import twin


@twin("LC-75", "ends a token and not what was exchanged for it")
def forgets_descendants(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at each token by itself."""

    def is_live(db: Session, jti: str, **_hold: bool) -> bool:
        row = db.get(IssuedToken, jti)
        return row is not None and row.revoked_at is None

    return patch.object(auth_server.tokens, "_is_live", is_live)


@twin("LC-75", "exchanges a subject token that its client revoked")
def exchanges_revoked_subject_tokens(stack: InProcess) -> AbstractContextManager[None]:
    """Look only whether the customer is signed on."""

    def is_revoked(request: Request) -> bool:
        with stack.context.transaction() as db:
            row = db.get(IssuedToken, claims_of(request.form.get("subject_token", "")).get("jti", ""))
            return row is not None and row.revoked_at is not None and _is_signed_on(db, row)

    return issued_anyway(stack, is_revoked)


@twin("LC-75", "lets delegations run out whose consent was withdrawn")
def lets_delegations_outlive_consent(_stack: InProcess) -> AbstractContextManager[object]:
    """Ask for consent at the exchange alone."""
    return patch.object(auth_server.delegation_grants, "revoke_delegations", lambda *_: None)


@twin("LC-75", "asks for consent when a subject token is issued, and not when it is exchanged")
def exchanges_without_consent(_stack: InProcess) -> AbstractContextManager[object]:
    """Take what the customer once allowed."""

    def once_given(held: HeldRows, sub: str, agent: str, _now: datetime) -> Row[Any] | None:
        table = Base.metadata.tables[DelegationGrant.__tablename__]
        given = select(table).where(table.c.sub == sub, table.c.agent == agent)
        return held._connection.execute(given.order_by(table.c.created_at.desc())).first()

    return patch.object(HeldRows, "grant", once_given)


@twin("LC-75", "ends subject tokens with the sign-on, and not what was exchanged for them")
def lets_delegations_outlive_the_sign_on(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at a parent only while its customer is signed on."""

    def is_live(db: Session, jti: str, **_hold: bool) -> bool:
        row = db.get(IssuedToken, jti)
        if row is None or row.revoked_at is not None:
            return False
        parent = db.get(IssuedToken, row.parent_jti) if row.parent_jti else None
        return parent is None or parent.revoked_at is None or not _is_signed_on(db, parent)

    return patch.object(auth_server.tokens, "_is_live", is_live)


def _is_signed_on(db: Session, row: IssuedToken) -> bool:
    return db.scalar(select(SignOnSession.sid).where(SignOnSession.sid == row.sid)) is not None
