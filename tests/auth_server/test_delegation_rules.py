"""The rules of an exchange for any tokens whatever: RULES 13, 25-27, 30 as properties."""

from datetime import timedelta
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Error
from hypothesis import given
from hypothesis import strategies as st

from auth_server.delegation_rules import (
    DELEGATION_TOKEN_LIFE,
    ExchangeRequest,
    check_actor_token,
    check_subject_token,
    current_actor,
    delegated_scope,
    delegation_expiry,
    transfer_limit,
)
from delegation.authorization_details import AccountTransfer
from delegation.scope import Scope
from delegation.token import MAX_ACTOR_DEPTH, AccessToken, Actor, DelegationToken
from tests.auth_server.servers import ACCOUNT_API, AGENT, ISSUER, TRANSFER
from tests.clock import NOON

scopes = st.frozensets(st.sampled_from("abcdef")).map(Scope)
names = st.sampled_from([AGENT, ISSUER, ACCOUNT_API, "customer@example.com", "banking-app", "other-agent"])
lives = st.integers(1, 10_000).map(lambda seconds: NOON + timedelta(seconds=seconds))
actors = st.recursive(names.map(Actor), lambda prior: st.builds(Actor, names, prior), max_leaves=4)

amounts = st.integers(1, 10_000)


@st.composite
def tokens(draw: st.DrawFn) -> AccessToken:
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": draw(names),
        "audience": tuple(draw(st.lists(names, min_size=1, max_size=2))),
        "client_id": draw(names),
        "scope": draw(scopes),
        "jti": "1",
        "issued_at": NOON,
        "expires_at": draw(lives),
        "may_act": draw(st.none() | names),
        "account_transfer": draw(st.none() | amounts.map(AccountTransfer)),
    }
    if draw(st.booleans()):
        return DelegationToken(**values, act=draw(actors))
    return AccessToken(**values)


requests = st.builds(
    ExchangeRequest,
    agent=names,
    issuer=st.just(ISSUER),
    subject=tokens(),
    actor=tokens(),
    delegable=st.dictionaries(names, scopes),
    granted=st.none() | scopes,
    granted_until=lives,
    target=names,
    requested=scopes,
    serves=st.booleans(),
    max_life=st.integers(1, 900).map(lambda seconds: timedelta(seconds=seconds)),
    max_transfer_minor=st.none() | amounts,
)


@given(requests)
def test_the_delegated_scope_never_exceeds_what_any_party_holds(request: ExchangeRequest) -> None:
    try:
        scope = delegated_scope(request)
    except OAuth2Error:
        return
    assert scope
    assert request.serves
    assert request.granted is not None
    for held in (
        request.subject.scope,
        request.actor.scope,
        request.granted,
        request.requested,
        request.delegable[request.target],
    ):
        assert scope <= held


@given(requests)
def test_a_scope_in_common_is_never_withheld(request: ExchangeRequest) -> None:
    common = request.subject.scope & request.actor.scope & request.requested
    common = common & (request.granted or Scope()) & request.delegable.get(request.target, Scope())
    if common and request.serves:
        assert delegated_scope(request) == common
    else:
        with pytest.raises(OAuth2Error):
            delegated_scope(request)


@given(requests, st.integers(0, 5000))
def test_the_delegation_expires_with_whatever_expires_first(request: ExchangeRequest, seconds: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    expires_at = delegation_expiry(request, now)
    assert expires_at <= request.subject.expires_at
    assert expires_at <= request.actor.expires_at
    assert expires_at <= request.granted_until
    assert expires_at <= now + DELEGATION_TOKEN_LIFE
    assert expires_at <= now + request.max_life


@given(requests)
def test_the_agent_is_the_current_actor_and_whoever_acted_before_is_kept(request: ExchangeRequest) -> None:
    prior = request.subject.actors
    if len(prior) >= MAX_ACTOR_DEPTH:
        with pytest.raises(OAuth2Error):
            current_actor(request)
    else:
        assert current_actor(request).chain == (request.agent, *prior)


@given(requests, scopes)
def test_a_limit_is_never_lost_or_raised_on_the_way_of_a_token_that_moves_money(
    request: ExchangeRequest, scope: Scope
) -> None:
    assert transfer_limit(request, scope) is None
    limit = transfer_limit(request, Scope({*scope, TRANSFER}))
    prior = request.subject.account_transfer
    limits = {request.max_transfer_minor, prior.max_amount_minor if prior else None} - {None}
    if limits:
        assert limit is not None
        assert limit.max_amount_minor in limits
        assert all(limit.max_amount_minor <= one for one in limits if one)
    else:
        assert limit is None


@given(requests)
def test_two_tokens_are_only_accepted_in_the_roles_they_were_made_for(request: ExchangeRequest) -> None:
    try:
        check_actor_token(request)
        check_subject_token(request)
    except OAuth2Error:
        return
    assert request.subject.audience == (request.agent,)
    assert request.subject.may_act == request.agent
    assert request.subject.subject != request.agent
    assert request.actor.subject == request.actor.client_id == request.agent
    assert request.actor.audience == (ISSUER,)
    assert not isinstance(request.actor, DelegationToken)
