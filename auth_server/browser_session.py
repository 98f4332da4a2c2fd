"""The customer's session at the authorization server: one cookie, known here by its hash."""

import secrets
from datetime import datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import delete
from sqlalchemy.orm import Session

from auth_server.audit import record
from auth_server.settings import Settings
from auth_server.tables import AuthorizationCode, SignOnSession, hashed
from auth_server.tokens import revoke_session


def cookie_name(settings: Settings) -> str:
    """Return the cookie's name. Cookies ignore ports, so no other service on localhost may use it."""
    return "__Host-auth_session" if settings.issuer.startswith("https:") else "auth_session"


def current_session(db: Session, request: Request, settings: Settings, now: datetime) -> SignOnSession | None:
    """Return the browser's session, if it is signed on."""
    cookie = request.cookies.get(cookie_name(settings))
    session = db.get(SignOnSession, hashed(cookie)) if cookie else None
    return session if session is not None and session.expires_at > now else None


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
    secure = settings.issuer.startswith("https:")
    # Lax and not Strict: the banking app sends the browser here from another origin.
    response.set_cookie(cookie_name(settings), cookie, httponly=True, secure=secure, samesite="lax", path="/")


def end_session(db: Session, session: SignOnSession, now: datetime) -> None:
    """End the session, and with it every code and every token that came of it."""
    revoke_session(db, session.sid, now)
    db.execute(delete(AuthorizationCode).where(AuthorizationCode.sid == session.sid))
    db.delete(session)
    record(db, 1, "permit", "the customer signed out", "sign_out", sub=session.sub, time=now)
