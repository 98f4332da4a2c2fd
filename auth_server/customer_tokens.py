"""The tokens that a sign-on yields, one audience each: subject token, app token, the server's own.

Staff get the server's own, and auditors one that reads the records of the resource. They have no accounts,
and nobody acts for them.
"""

import secrets
from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import BaseGrant

from auth_server.authorization_server import AuthorizationServer
from auth_server.browser_session import hold_session
from auth_server.clients import Agent
from auth_server.delegation_grants import grant_in_force
from auth_server.oauth_errors import InvalidTarget
from auth_server.oauth_request import ServerRequest
from auth_server.people import Person, enabled_person, permitted
from auth_server.registered_agents import agents_named
from auth_server.resource_indicator import one_resource
from auth_server.scopes import AUDITORS
from auth_server.tables import AuthorizationCode, RefreshToken, Staff, hashed
from auth_server.tokens import APP_TOKEN_LIFE, SUBJECT_TOKEN_LIFE, TokenContent
from delegation.scope import Scope


class CustomerTokenGrant(BaseGrant):
    """What the authorization code grant and the refresh token grant have in common."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)
    request: ServerRequest
    server: AuthorizationServer

    def hold(self, origin: AuthorizationCode | RefreshToken) -> bool:
        """Hold the sign-on session behind a credential, and read it again; False if the session is over.

        A disabled person's is.
        """
        if not hold_session(self.request.db, origin.sid):
            return False
        self.request.db.refresh(origin)
        return True

    def generate_token(self, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """Issue an access token for the one resource asked for, and the next refresh token."""
        origin = self.request.authorization_code or self.request.refresh_token
        content = self._content(origin)
        encoded, token = self.server.tokens.issue(self.request.db, content, self.request.now)
        self.request.principal = token
        return {
            "access_token": encoded,
            "token_type": "Bearer",
            "expires_in": int((content.expires_at - self.request.now).total_seconds()),
            "scope": str(content.scope),
            "refresh_token": self._next_refresh_token(origin),
        }

    def _content(self, origin: AuthorizationCode | RefreshToken) -> TokenContent:
        """Decide what the token says.

        Raises:
            InvalidGrantError: the person may not sign on any more.
            InvalidTarget: the sign-on was not for this resource, or it is none for staff; the agent may not
                serve this customer now, or the customer allows it nothing.
            InvalidScopeError: nothing of the scope asked for may be had there.
        """
        issuer = self.server.settings.issuer
        client, person = self.request.known_client, self._person(origin)
        agents = agents_named(self.request.db, origin.resources) if client.may_allow else {}
        allowed = (client.resources.keys() | agents.keys()) & set(origin.resources)
        if isinstance(person, Staff):
            reads_all = person.role in AUDITORS
            allowed = allowed & (
                {issuer, self.server.settings.account_api_audience} if reads_all else {issuer}
            )
        resource = one_resource(self.request.all("resource"), allowed, default=issuer)
        agent = agents.get(resource)
        most = Scope.parse(origin.scope) & permitted(person)
        most = most & (client.may_allow if agent else client.resources[resource])
        if agent:
            most = most & self._granted_to(agent, person)
        requested = self.request.payload.scope
        scope = most & Scope.parse(requested) if requested else most
        if not scope:
            raise InvalidScopeError("nothing of this scope may be had for this resource")
        return TokenContent(
            sub=origin.sub,
            client_id=origin.client_id,
            audience=resource,
            scope=scope,
            expires_at=self.request.now + (SUBJECT_TOKEN_LIFE if agent else APP_TOKEN_LIFE),
            may_act=agent.client_id if agent else None,
            sid=origin.sid,
            family=origin.family,
        )

    def _person(self, origin: AuthorizationCode | RefreshToken) -> Person:
        person = enabled_person(self.request.db, origin.sub)
        if person is None:
            raise InvalidGrantError("nobody may sign on under this name now")
        return person

    def _granted_to(self, agent: Agent, person: Person) -> Scope:
        if isinstance(person, Staff) or not agent.may_serve(person.sub, person.groups):
            raise InvalidTarget(
                "this agent may not act for this customer now"
                if agent.is_active
                else "this agent is not active now; the customer can do nothing about it"
            )
        grant = grant_in_force(self.request.db, person.sub, agent.client_id, self.request.now)
        if grant is None:
            raise InvalidTarget("the customer has not allowed this agent to act; ask for consent")
        return Scope.parse(grant.scope) & agent.most_scope

    def _next_refresh_token(self, origin: AuthorizationCode | RefreshToken) -> str:
        value = secrets.token_urlsafe(32)
        if isinstance(origin, AuthorizationCode):
            expires_at = origin.auth_time + timedelta(hours=self.server.settings.sign_on_hours)
        else:
            expires_at = origin.expires_at
        self.request.db.add(
            RefreshToken(
                token_hash=hashed(value),
                family=origin.family,
                client_id=origin.client_id,
                sub=origin.sub,
                sid=origin.sid,
                scope=origin.scope,
                resources=origin.resources,
                expires_at=expires_at,
            )
        )
        return value
