"""The customer's session at the authorization server: one cookie, known here by its hash."""

import secrets
from datetime import datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from auth_server.audit import record
from auth_server.ended_tokens import revoke_person, revoke_session
from auth_server.lock_order import lock
from auth_server.settings import Settings
from auth_server.tables import SignOnSession, hashed


def cookie_name(settings: Settings) -> str:
    """Return the cookie's name. Cookies ignore ports, so no other service on localhost may use it."""
    return "__Host-auth_session" if settings.is_https else "auth_session"


def current_session(db: Session, request: Request, settings: Settings, now: datetime) -> SignOnSession | None:
    """Return the browser's session, if it is signed on."""
    cookie = request.cookies.get(cookie_name(settings))
    session = db.get(SignOnSession, hashed(cookie)) if cookie else None
    return session if session is not None and session.expires_at > now else None


def hold_session(db: Session, sid: str) -> bool:
    """Keep the session from ending, and its tokens from changing, until this transaction is over.

    Whoever issues or ends a session's tokens holds it first: so nothing is issued while a session is ended,
    and of two uses of one credential the second sees what the first did. False if the session is over.
    """
    session = select(SignOnSession.sid).where(SignOnSession.sid == sid)
    return db.scalar(session.with_for_update()) is not None


def begin_session(db: Session, sub: str, settings: Settings, now: datetime) -> str:
    """Begin a session, and return the value for its cookie. It is a new value at every sign-on."""
    cookie = secrets.token_urlsafe(32)
    db.add(
        SignOnSession(
            cookie_hash=hashed(cookie),
            sid=secrets.token_urlsafe(16),
            sub=sub,
            signed_on_at=now,
            expires_at=now + timedelta(hours=settings.sign_on_hours),
        )
    )
    return cookie


def set_session_cookie(response: Response, cookie: str, settings: Settings) -> None:
    """Give the browser its session's cookie, for as long as the browser runs."""
    # Lax and not Strict: the banking app sends the browser here from another origin.
    response.set_cookie(
        cookie_name(settings), cookie, httponly=True, secure=settings.is_https, samesite="lax", path="/"
    )


def remove_session_cookie(response: Response, settings: Settings) -> None:
    """Let the browser forget its session's cookie."""
    # A browser takes a __Host- cookie, also its removal, only with Secure.
    response.delete_cookie(
        cookie_name(settings), httponly=True, secure=settings.is_https, samesite="lax", path="/"
    )


def end_sign_ons(db: Session, sub: str, now: datetime) -> None:
    """End all that came of a person's sign-ons, and every token under which somebody acts for them.

    The caller holds the person.
    """
    # First the sessions: this waits for whoever refreshes at this moment.
    lock(db, SignOnSession, SignOnSession.sub == sub)
    db.execute(delete(SignOnSession).where(SignOnSession.sub == sub))
    revoke_person(db, sub, now)


def end_session(
    db: Session, session: SignOnSession, now: datetime, reason: str = "the customer signed out"
) -> None:
    """End the session, and with it every token that came of it; its codes are worth nothing without it."""
    # First the session: this waits for whoever holds it, and what they issued is then seen below.
    db.execute(delete(SignOnSession).where(SignOnSession.sid == session.sid))
    revoke_session(db, session.sid, now)
    record(db, 1, "permit", reason, "sign_out", sub=session.sub, time=now)
