"""Each rule on the two tokens of an exchange by itself: one thing wrong, all else right, and it is refused.

RFC 8693 §2.2.2, §4.1, §4.4.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from authlib.oauth2.rfc6749 import InvalidRequestError

from auth_server.delegation_rules import (
    ExchangeRequest,
    check_actor_token,
    check_subject_token,
    current_actor,
)
from delegation.scope import Scope
from delegation.token import MAX_ACTOR_DEPTH, AccessToken, Actor, DelegationToken
from tests.auth_server.servers import ACCOUNT_API, AGENT, BALANCE, ISSUER
from tests.clock import NOON

OTHER: Final = "https://card-agent.example.com"
COMMON: Final[dict[str, Any]] = {
    "issuer": ISSUER,
    "scope": Scope({BALANCE}),
    "jti": "1",
    "issued_at": NOON,
    "expires_at": NOON + timedelta(minutes=5),
}
SUBJECT: Final[dict[str, Any]] = COMMON | {
    "subject": "customer@example.com",
    "audience": (AGENT,),
    "client_id": "banking-app",
    "may_act": AGENT,
}
ACTOR: Final[dict[str, Any]] = COMMON | {
    "subject": AGENT,
    "audience": (ISSUER,),
    "client_id": AGENT,
    "may_act": None,
}


def request(**changes: Any) -> ExchangeRequest:
    """Return an exchange to which every rule says yes, but for the changes."""
    good = ExchangeRequest(
        agent=AGENT,
        issuer=ISSUER,
        subject=AccessToken(**SUBJECT),
        actor=AccessToken(**ACTOR),
        delegable={ACCOUNT_API: Scope({BALANCE})},
        granted=Scope({BALANCE}),
        granted_until=NOON + timedelta(days=1),
        target=ACCOUNT_API,
        requested=Scope({BALANCE}),
        serves=True,
        max_life=timedelta(minutes=5),
        max_transfer_minor=None,
    )
    return replace(good, **changes)


def test_the_two_tokens_as_they_must_be_are_taken() -> None:
    check_actor_token(request())
    check_subject_token(request())
    assert current_actor(request()) == Actor(AGENT)


@pytest.mark.parametrize(
    "actor",
    [
        DelegationToken(**ACTOR, act=Actor(OTHER)),
        AccessToken(**ACTOR | {"may_act": OTHER}),
        AccessToken(**ACTOR | {"audience": (ACCOUNT_API,)}),
        AccessToken(**ACTOR | {"audience": (ISSUER, ACCOUNT_API)}),
        AccessToken(**ACTOR | {"subject": "customer@example.com"}),
        AccessToken(**ACTOR | {"client_id": OTHER}),
        AccessToken(**ACTOR | {"subject": OTHER, "client_id": OTHER}),
    ],
    ids=["delegation", "may_act", "audience", "two audiences", "subject", "client", "another agent's"],
)
def test_one_thing_wrong_with_the_actor_token_is_enough(actor: AccessToken) -> None:
    with pytest.raises(InvalidRequestError):
        check_actor_token(request(actor=actor))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subject": AGENT}, "for itself"),
        ({"audience": (OTHER,)}, "not made for this agent"),
        ({"audience": (AGENT, OTHER)}, "not made for this agent"),
        ({"may_act": OTHER}, "may_act"),
        ({"may_act": None}, "may_act"),
    ],
)
def test_one_thing_wrong_with_the_subject_token_is_enough(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_subject_token(request(subject=AccessToken(**SUBJECT | changes)))
    assert said in str(refused.value.description)


def test_a_chain_of_actors_has_a_longest_length() -> None:
    def after(prior: int) -> ExchangeRequest:
        act = Actor("https://agent0.example.com")
        for number in range(1, prior):
            act = Actor(f"https://agent{number}.example.com", act)
        return request(subject=DelegationToken(**SUBJECT, act=act))

    assert len(current_actor(after(MAX_ACTOR_DEPTH - 1)).chain) == MAX_ACTOR_DEPTH
    with pytest.raises(InvalidRequestError):
        current_actor(after(MAX_ACTOR_DEPTH))
