"""Each session's access tokens, one per resource, renewed before they end."""

import threading
from datetime import timedelta
from typing import Final

from banking_app.failures import PermissionMissing, Refused, ServiceDown, SessionOver
from banking_app.openid_client import OpenIdClient
from banking_app.session_store import Session, SessionStore
from banking_app.settings import Settings
from delegation.clock import Clock, utc_now
from delegation.oauth_error import OAuthError

_RENEW_BEFORE: Final = timedelta(seconds=60)
_LOCKS: Final = 64


class SessionLocks:
    """One lock per session, out of a fixed number: two sessions may share one, which only costs waiting.

    They hold within one process, and Streamlit serves a customer from one process.
    """

    def __init__(self) -> None:
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def of(self, session_id: str) -> threading.Lock:
        """Return the lock of this session."""
        return self._locks[hash(session_id) % _LOCKS]


class SessionTokens:
    """Gives access tokens with at least a minute of life left.

    A refresh token works once, and a second use ends the session at the authorization server. So the
    refreshes of one session happen one after the other, each with the token that the one before it stored.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: SessionStore,
        client: OpenIdClient,
        locks: SessionLocks,
        clock: Clock = utc_now,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._client = client
        self._locks = locks
        self._clock = clock

    def app_token(self, session_id: str) -> str:
        """Return the token for the account API. Raises as `_token_for`."""
        return self._token_for(session_id, self._settings.account_api_audience)

    def issuer_token(self, session_id: str) -> str:
        """Return the token for the authorization server's own interfaces. Raises as `_token_for`."""
        return self._token_for(session_id, self._settings.issuer)

    def subject_token(self, session_id: str) -> str:
        """Return the token that is handed to the assistant.

        Raises:
            PermissionMissing: the customer has no grant for the assistant.
            Failure: as `_token_for`.
        """
        return self._token_for(session_id, self._settings.agent_id)

    def _token_for(self, session_id: str, resource: str) -> str:
        """Return the session's token for one resource.

        Raises:
            SessionOver: there is no session any more.
            ServiceDown: the authorization server gave no usable answer.
            Refused: it gave another refusal.
        """
        with self._locks.of(session_id):
            session = self._sessions.find(session_id)
            if session is None:
                raise SessionOver
            token = session.tokens.get(resource)
            if token is None or token.expires_at - self._clock() < _RENEW_BEFORE:
                session = self._renewed(session_id, session, resource)
                token = session.tokens[resource]
            return token.access_token

    def _renewed(self, session_id: str, session: Session, resource: str) -> Session:
        try:
            answer = self._client.refresh(session.refresh_token, resource)
        except OAuthError as error:
            if error.error == "invalid_grant":
                self._sessions.end(session_id)
                raise SessionOver from None
            raise self._failure(error, resource) from None
        renewed = session.model_copy(
            update={
                "refresh_token": answer.refresh_token or session.refresh_token,
                "tokens": {**session.tokens, resource: answer.token},
            }
        )
        if not self._sessions.replace(session_id, renewed):
            raise SessionOver
        return renewed

    def _failure(self, error: OAuthError, resource: str) -> Exception:
        if error.error == "invalid_target" and resource == self._settings.agent_id:
            return PermissionMissing()
        if error.error == "temporarily_unavailable":
            return ServiceDown("authorization server", "The sign-on service cannot be reached.")
        return Refused(
            "The sign-on service did not renew your access. Sign out and sign on again.",
            f"The token endpoint answered {error.error} for the resource {resource}.",
        )
