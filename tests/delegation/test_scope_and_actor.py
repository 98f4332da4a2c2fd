"""Scope is a set, an actor chain is short: RULES 12, 13, 15, 18, 25 as properties."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegation.scope import Scope
from delegation.token import MAX_ACTOR_DEPTH, Actor

scope_tokens = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1
)
scopes = st.frozensets(scope_tokens).map(Scope)
names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
ISSUER = "http://localhost:8502"


@given(scopes)
def test_a_scope_reads_back_as_it_was_written(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope
    assert str(scope) == " ".join(sorted(scope))


@given(scopes, scopes)
def test_a_scope_in_common_is_a_scope_and_no_wider_than_either(one: Scope, other: Scope) -> None:
    common = one & other
    assert isinstance(common, Scope)
    assert common <= one
    assert common <= other
    rest = one - other
    assert isinstance(rest, Scope)
    assert not rest & other
    assert rest | common == one


@pytest.mark.parametrize("text", ["a\tb", "a\nb", 'a"b', "a\\b", "é", "a\x00", "a\x7f"])
def test_a_malformed_scope_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 6749"):
        Scope.parse(text)


@given(st.text())
def test_any_text_is_a_scope_or_refused(text: str) -> None:
    try:
        scope = Scope.parse(text)
    except ValueError:
        return
    assert all(token and " " not in token for token in scope)


def chain(names_outermost_first: list[str]) -> Actor:
    actor: Actor | None = None
    for name in reversed(names_outermost_first):
        actor = Actor(name, actor)
    assert actor is not None
    return actor


@given(st.lists(names, min_size=1, max_size=MAX_ACTOR_DEPTH))
def test_an_actor_reads_back_as_it_was_written_outermost_first(parties: list[str]) -> None:
    actor = chain(parties)
    assert Actor.from_claim(actor.as_claim(), ISSUER) == actor
    assert actor.chain == tuple(parties)
    assert actor.as_claim()["sub"] == parties[0]


@given(st.lists(names, min_size=MAX_ACTOR_DEPTH + 1, max_size=30))
def test_a_chain_that_is_too_long_is_refused(parties: list[str]) -> None:
    with pytest.raises(ValueError, match="more than"):
        Actor.from_claim(chain(parties).as_claim(), ISSUER)


claims = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sub", "act", "exp", "aud", "iss"]), inner, max_size=4)
    ),
)


@given(claims)
def test_any_claim_is_an_actor_with_a_name_or_refused(claim: Any) -> None:
    try:
        actor = Actor.from_claim(claim, ISSUER)
    except ValueError:
        return
    assert actor.sub == claim["sub"]
    assert all(actor.chain)
    assert len(actor.chain) <= MAX_ACTOR_DEPTH
