"""Signing out: here, and at the authorization server (OpenID Connect RP-Initiated Logout)."""

import hmac
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from banking_app.audit import Audit
from banking_app.chat_client import ChatClient
from banking_app.conversations import Conversations
from banking_app.cookies import Cookies
from banking_app.failures import Failure
from banking_app.notices import Notices
from banking_app.openid_client import OpenIdClient
from banking_app.session_store import Session, SessionStore
from banking_app.tokens import SessionLocks
from delegation.oauth_error import OAuthError

_MAX_FORM_BYTES: Final = 1_024


@dataclass(frozen=True)
class SignOut:
    """`/logout`. Nobody else's page can sign a customer out: the request proves that it came from ours."""

    agent_id: str
    client: OpenIdClient
    chat: ChatClient
    sessions: SessionStore
    conversations: Conversations
    locks: SessionLocks
    cookies: Cookies
    notices: Notices
    audit: Audit

    def routes(self) -> list[Route]:
        """Return the routes of this file."""
        return [
            Route("/logout", self.ask, methods=["GET"]),
            Route("/logout", self.confirmed, methods=["POST"]),
        ]

    def ask(self, request: Request) -> Response:
        """Sign out when the link carries the session's own token; ask first when it does not."""
        return self._answer(request, request.query_params.get("csrf_token", ""))

    async def confirmed(self, request: Request) -> Response:
        """Sign out when the form carries the session's own token."""
        csrf_token = parse_qs(await _small_body(request)).get("csrf_token", [""])[0]
        return await run_in_threadpool(self._answer, request, csrf_token)

    def drop(self, session_id: str, reason: str) -> None:
        """Forget a session, if there is one, and revoke its refresh token."""
        with self.locks.of(session_id):
            session = self.sessions.find(session_id)
            self.sessions.end(session_id)
        if session is None:
            return
        try:
            self.client.revoke(session.refresh_token)
        except OAuthError as error:
            # The customer leaves all the same: the token is forgotten here and ends with its life there.
            reason = f"{reason}; the refresh token was not revoked: {error.error}"
        self.audit.sign_out(session.sub, reason)

    def _answer(self, request: Request, csrf_token: str) -> Response:
        session_id = request.cookies.get(self.cookies.session, "")
        session = self.sessions.find(session_id)
        if session is None:
            return self._leave("/")
        if not hmac.compare_digest(csrf_token.encode(), session.csrf_token.encode()):
            return self.notices.confirm_sign_out(session.name, session.csrf_token)
        self._forget_conversation(session)
        self.drop(session_id, "signed out by the customer")
        return self._leave(self.client.end_session_url(session.id_token))

    def _leave(self, address: str) -> Response:
        response = RedirectResponse(address, 303)
        self.cookies.clear_session(response)
        return response

    def _forget_conversation(self, session: Session) -> None:
        self.conversations.forget(session.sub)
        subject_token = session.tokens.get(self.agent_id)
        if subject_token is None:
            return
        with suppress(Failure):
            # The chatbot bounds and forgets by itself; a customer must be able to leave while it is down.
            self.chat.forget(subject_token.access_token)


async def _small_body(request: Request) -> str:
    """Return the body of our own small form; nothing of a larger one."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            return ""
    return body.decode(errors="replace")
