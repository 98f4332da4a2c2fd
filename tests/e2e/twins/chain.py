"""Twins that put no bound to a chain of actors, or a wrong one, or give scope back in it (RFC 8693 §4.1)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from unittest.mock import patch

from authlib.oauth2.rfc6749 import InvalidRequestError

import auth_server.delegation_rules
import auth_server.oauth_request
import auth_server.token_exchange
import delegation.token
import delegation.verification
from auth_server.delegation_rules import ExchangeRequest, current_actor, delegated_scope
from delegation.scope import Scope
from delegation.token import Actor, DelegationToken
from tests.e2e.in_process import InProcess
from tests.e2e.twins.twin import twin


@twin("TX-25", "follows a chain of any depth")
@contextmanager
def follows_any_depth(_stack: InProcess) -> Iterator[None]:
    """Put the bound out of reach."""
    with (
        patch.object(delegation.token, "MAX_ACTOR_DEPTH", 1000),
        patch.object(auth_server.delegation_rules, "MAX_ACTOR_DEPTH", 1000),
    ):
        yield


@twin("TX-25", "reads an act of any size")
@contextmanager
def reads_any_size(_stack: InProcess) -> Iterator[None]:
    """Put the bounds of form, token and identifier out of reach."""
    with (
        patch.object(auth_server.oauth_request, "_MAX_BODY_BYTES", 10**7),
        patch.object(delegation.verification, "_MAX_TOKEN_LENGTH", 10**7),
        patch.object(delegation.token, "_MAX_TEXT_LENGTH", 10**7),
    ):
        yield


@twin("TX-25", "refuses an actor that stands in the chain already")
def refuses_a_returning_actor(_stack: InProcess) -> AbstractContextManager[object]:
    """Take a return for a loop."""

    def once(request: ExchangeRequest) -> Actor:
        actor = current_actor(request)
        if actor.act and request.agent in actor.act.chain:
            raise InvalidRequestError("an actor may stand in a chain once")
        return actor

    return patch.object(auth_server.token_exchange, "current_actor", once)


@twin("TX-27", "bounds a chain by what the customer once granted")
def gives_scope_back(_stack: InProcess) -> AbstractContextManager[object]:
    """Read the subject token's scope only where nobody acted before."""

    def granted(request: ExchangeRequest) -> Scope:
        if isinstance(request.subject, DelegationToken) and request.granted:
            request = replace(request, subject=replace(request.subject, scope=request.granted))
        return delegated_scope(request)

    return patch.object(auth_server.token_exchange, "delegated_scope", granted)


@twin("TX-27", "gives a scope back to whoever keeps another")
def gives_scope_back_beside_another(_stack: InProcess) -> AbstractContextManager[object]:
    """Issue the whole of what was asked for, if any of it is held."""

    def asked_for(request: ExchangeRequest) -> Scope:
        held = delegated_scope(request)
        return request.requested if isinstance(request.subject, DelegationToken) else held

    return patch.object(auth_server.token_exchange, "delegated_scope", asked_for)
