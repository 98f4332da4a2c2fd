"""May this agent act for this customer? The rules of a token exchange, with no network and no storage.

RFC 8693 leaves policy to the server. This is ours: delegation and never impersonation, and a token can only
lose scope, audience and time on its way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError

from auth_server.oauth_errors import InvalidTarget
from auth_server.scopes import TRANSFER
from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope
from delegation.token import MAX_ACTOR_DEPTH, AccessToken, Actor, DelegationToken

DELEGATION_TOKEN_LIFE: Final = timedelta(seconds=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest:
    """A token exchange whose two tokens are verified: signature, issuer, time, not revoked.

    `delegable` is what may be delegated to the agent at most, by audience; `max_life` how long its tokens
    live at most; `serves` whether it is there for this customer, who is not disabled; `granted` what the
    customer allows it now, None if nothing, and `granted_until` when that ends; `max_transfer_minor` is the
    largest transfer that both the agent and the customer's grant permit, None for no limit in either.
    """

    agent: str
    issuer: str
    subject: AccessToken
    actor: AccessToken
    delegable: Mapping[str, Scope]
    granted: Scope | None
    granted_until: datetime
    target: str
    requested: Scope
    serves: bool
    max_life: timedelta
    max_transfer_minor: int | None


def check_actor_token(request: ExchangeRequest) -> None:
    """The actor token is the authenticated agent's own, made for this server.

    Raises:
        InvalidRequestError: it is not (RFC 8693 §2.2.2).
    """
    actor = request.actor
    if isinstance(actor, DelegationToken) or actor.may_act is not None or actor.audience != (request.issuer,):
        raise InvalidRequestError("the actor_token is not an actor token")
    if not actor.subject == actor.client_id == request.agent:
        raise InvalidRequestError("the actor_token belongs to another client than the one that authenticated")


def check_subject_token(request: ExchangeRequest) -> None:
    """The subject token is a customer's, made for this agent alone, and names it as the one that may act.

    Raises:
        InvalidRequestError: it is not (RFC 8693 §2.2.2, §4.4).
    """
    subject = request.subject
    if subject.subject == request.agent:
        raise InvalidRequestError("an agent cannot act for itself")
    if subject.audience != (request.agent,):
        raise InvalidRequestError("the subject_token was not made for this agent")
    if subject.may_act != request.agent:
        raise InvalidRequestError("the subject_token does not allow this agent to act (may_act)")


def current_actor(request: ExchangeRequest) -> Actor:
    """Return the agent as the current actor, with whoever acted before it nested (RFC 8693 §4.1).

    Raises:
        InvalidRequestError: the chain would be too long.
    """
    prior = request.subject.act if isinstance(request.subject, DelegationToken) else None
    actor = Actor(request.agent, prior)
    if len(actor.chain) > MAX_ACTOR_DEPTH:
        raise InvalidRequestError(f"a chain may have {MAX_ACTOR_DEPTH} actors at most")
    return actor


def delegated_scope(request: ExchangeRequest) -> Scope:
    """Return what subject, customer, agent and request have in common: never more than any party holds.

    Raises:
        InvalidRequestError: the agent may not serve this customer, or the customer allows it nothing, now.
        InvalidTarget: the agent may not act at this audience.
        InvalidScopeError: nothing is in common (RFC 6749 §5.2).
    """
    if not request.serves:
        raise InvalidRequestError("this agent may not act for this customer")
    if request.granted is None:
        raise InvalidRequestError("the customer does not allow this agent to act, or no longer")
    if request.target not in request.delegable:
        raise InvalidTarget("this agent may not act at this resource")
    agent = request.delegable[request.target] & request.actor.scope
    scope = request.subject.scope & request.granted & agent & request.requested
    if not scope:
        raise InvalidScopeError("nothing of this scope is delegated to this agent by this customer")
    return scope


def delegation_expiry(request: ExchangeRequest, now: datetime) -> datetime:
    """Return the end of the delegation token: never beyond either token, grant, agent's most, 300 s."""
    life = min(request.max_life, DELEGATION_TOKEN_LIFE)
    ends = (request.subject.expires_at, request.actor.expires_at, request.granted_until)
    return min(*ends, now + life)


def transfer_limit(request: ExchangeRequest, scope: Scope) -> AccountTransfer | None:
    """Return the limit of a delegation token with this scope (RFC 9396 §9.1), None if it has none.

    Of the agent's, the grant's and the subject token's the smallest: a further exchange never regains or
    raises it. A token that moves no money needs none, and nothing that comes of it moves any.
    """
    if not scope & TRANSFER:
        return None
    prior = request.subject.account_transfer
    most = smallest_limit(request.max_transfer_minor, prior.max_amount_minor if prior else None)
    return None if most is None else AccountTransfer(most)


def smallest_limit(*limits: int | None) -> int | None:
    """Return the limit that holds where all of these do; None is no limit."""
    return min((limit for limit in limits if limit is not None), default=None)
