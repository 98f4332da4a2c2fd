"""The token exchange grant (RFC 8693 §2), built as an Authlib grant. Steps 3 and 4 of the flow."""

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from auth_server.authorization_server import AuthorizationServer
from auth_server.clients import Agent
from auth_server.delegation_rules import (
    ExchangeRequest,
    check_actor_token,
    check_subject_token,
    current_actor,
    delegated_scope,
    delegation_expiry,
    smallest_limit,
    transfer_limit,
)
from auth_server.exchange_call import ExchangeCall
from auth_server.oauth_errors import InvalidTarget
from auth_server.resource_indicator import check_resource
from auth_server.tokens import TokenContent, revoked
from delegation.bearer import InvalidToken
from delegation.prepared import Row
from delegation.scope import Scope
from delegation.token import AccessToken
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE


class TokenExchangeGrant(BaseGrant, TokenEndpointMixin):
    """Exchanges a customer's subject token and an agent's actor token for a delegation token."""

    GRANT_TYPE = GRANT_TYPE
    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)
    request: ExchangeCall
    server: AuthorizationServer
    exchange: ExchangeRequest
    grant: Row | None

    def validate_token_request(self) -> None:
        """Read the request: the client, its parameters, and the two tokens behind them.

        Raises:
            InvalidClient: the client did not authenticate.
            UnauthorizedClientError: it is no agent.
            InvalidRequestError: a parameter or a token is missing, malformed, expired or revoked.
            InvalidTarget: not exactly one resource is named.
            InvalidScopeError: no scope is named.
        """
        agent, held = self.request.authenticated(), self.request.held
        if not isinstance(agent, Agent) or not agent.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("this client is not registered for token exchange")
        form = self.request.form
        check_token_types(form)
        subject = self.request.principal = self._read("subject_token")
        actor = self._read("actor_token")
        customer = held.customer(subject.subject)
        self.grant = held.grant(subject.subject, agent.client_id, self.request.now)
        self.exchange = ExchangeRequest(
            agent=agent.client_id,
            issuer=self.server.settings.issuer,
            subject=subject,
            actor=actor,
            delegable=agent.delegable,
            serves=customer is not None and agent.may_serve(customer.sub, customer.groups),
            max_life=agent.max_life,
            max_transfer_minor=smallest_limit(
                agent.max_transfer_minor, self.grant.max_transfer_minor if self.grant else None
            ),
            granted=Scope.parse(self.grant.scope) if self.grant else None,
            granted_until=self.grant.expires_at if self.grant else self.request.now,
            target=target(
                self.request.all("resource"),
                self.request.all("audience"),
                self.server.settings.audience_by_address,
            ),
            requested=requested_scope(form.get("scope")),
        )

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Issue the delegation token if every rule holds (RFC 8693 §2.2.1); no refresh token, ever."""
        exchange, request = self.exchange, self.request
        check_actor_token(exchange)
        check_subject_token(exchange)
        scope = delegated_scope(exchange)
        content = TokenContent(
            sub=exchange.subject.subject,
            client_id=exchange.agent,
            audience=exchange.target,
            act=current_actor(exchange),
            scope=scope,
            account_transfer=transfer_limit(exchange, scope),
            expires_at=delegation_expiry(exchange, request.now),
            parent_jti=exchange.subject.jti,
        )
        encoded, request.principal, issued = self.server.tokens.sign(content, request.now)
        request.issued.append(issued)
        if self.grant:
            request.used.append(
                {"used_id": self.grant.grant_id, "used_at": request.now, "used_scope": str(scope)}
            )
        body: dict[str, Any] = {
            "access_token": encoded,
            "issued_token_type": ACCESS_TOKEN_TYPE,
            "token_type": "Bearer",
            "expires_in": int((request.principal.expires_at - request.now).total_seconds()),
            "scope": str(content.scope),
        }
        if content.account_transfer:  # RFC 9396 §7
            body["authorization_details"] = content.account_transfer.as_claim()
        return 200, body, self.TOKEN_RESPONSE_HEADER

    def _read(self, name: str) -> AccessToken:
        token = self.request.tokens[name]
        if isinstance(token, AccessToken) and not self.request.held.is_live(token.jti):
            token = revoked()
        if isinstance(token, InvalidToken):
            raise InvalidRequestError(f"{name}: {token.description}")
        return token


def check_token_types(form: dict[str, str]) -> None:
    """Check that both tokens are there, each with its type (RFC 8693 §2.1).

    The actor token is not optional here: without it the exchange would be impersonation.

    Raises:
        InvalidRequestError: one is missing, or of a type that is not taken or not issued here.
    """
    for name in ("subject_token", "subject_token_type", "actor_token", "actor_token_type"):
        if not form.get(name):
            raise InvalidRequestError(
                f"{name} is missing; an exchange here needs subject and actor, each with type"
            )
    for name in ("subject_token_type", "actor_token_type", "requested_token_type"):
        if form.get(name, ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE:
            raise InvalidRequestError(f"{name} must be {ACCESS_TOKEN_TYPE}")


def target(resources: list[str], audiences: list[str], audience_by_address: Mapping[str, str]) -> str:
    """Return the one target, named by `resource` or by `audience` (RFC 8693 §2.1).

    `resource` may also be an address at which the resource is called, as its metadata have it (RFC 9728
    §2): the token's audience is the resource's own name all the same.

    Raises:
        InvalidTarget: none or several are named, or the resource is malformed.
    """
    named = map(check_resource, resources)
    targets = {*(audience_by_address.get(one, one) for one in named), *audiences}
    if len(targets) != 1:
        raise InvalidTarget("name exactly one resource; a delegation token has one audience")
    return targets.pop()


def requested_scope(scope: str | None) -> Scope:
    """Return the scope asked for.

    Raises:
        InvalidScopeError: none is asked for (RFC 6749 §3.3 lets a server insist).
    """
    requested = Scope.parse(scope or "")
    if not requested:
        raise InvalidScopeError("say which scope this one operation needs")
    return requested
