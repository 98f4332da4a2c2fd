"""What a resource knows of ended tokens: what it refuses, what it leaves alone, what it forgets."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delegation.bearer import InvalidToken
from delegation.revocations import LONGEST_TOKEN_LIFE, NewsUnavailable, Revocations
from delegation.scope import Scope
from delegation.security_event import Ended
from delegation.token import AccessToken, Actor, DelegationToken
from tests.clock import NOON, SetClock

AGENT, OTHER_AGENT = "https://agent.example", "https://other.example"
CUSTOMER, OTHER_CUSTOMER = "customer@example.com", "other@example.com"
SILENCE = timedelta(seconds=10)


def token(
    *, issued_at: datetime = NOON, life: timedelta = timedelta(seconds=300), **changes: Any
) -> AccessToken:
    common: dict[str, Any] = {
        "issuer": "https://issuer.example",
        "subject": changes.get("sub", CUSTOMER),
        "audience": ("https://api.example",),
        "client_id": changes.get("client_id", AGENT),
        "scope": Scope(),
        "jti": changes.get("jti", "one"),
        "issued_at": issued_at,
        "expires_at": issued_at + life,
    }
    actor = changes.get("actor", AGENT)
    prior = Actor(changes["prior"]) if "prior" in changes else None
    return DelegationToken(**common, act=Actor(actor, prior)) if actor else AccessToken(**common)


def new_revocations(clock: SetClock, silence: timedelta = SILENCE) -> Revocations:
    """Return what measures lengths by the test's clock, too: nothing corrects it."""
    return Revocations(silence, clock, lambda: clock().timestamp())


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON + timedelta(seconds=2))


@pytest.fixture
def revocations(clock: SetClock) -> Revocations:
    current = new_revocations(clock)
    current.heard(current.now())
    return current


def refused(revocations: Revocations, one: AccessToken) -> bool:
    try:
        revocations.check(one)
    except InvalidToken as error:
        return "has ended" in error.description
    return False


def test_an_ended_token_is_refused_and_another_is_not(revocations: Revocations, clock: SetClock) -> None:
    revocations.add(Ended(clock(), jti="one"))
    assert refused(revocations, token(jti="one"))
    assert not refused(revocations, token(jti="two"))


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": AGENT, "client_id": "else"},
        {"client_id": AGENT, "actor": ""},
        {"prior": AGENT, "actor": OTHER_AGENT, "client_id": OTHER_AGENT},
        {"sub": AGENT, "actor": "", "client_id": "else"},
    ],
    ids=["actor", "client", "prior actor", "subject"],
)
def test_a_disabled_party_has_no_part_in_any_token(
    revocations: Revocations, clock: SetClock, changes: dict[str, Any]
) -> None:
    revocations.add(Ended(clock(), party=AGENT))
    assert refused(revocations, token(**changes))
    assert not refused(revocations, token(actor=OTHER_AGENT, client_id=OTHER_AGENT))


def test_an_ended_delegation_is_one_agents_for_one_customer(
    revocations: Revocations, clock: SetClock
) -> None:
    revocations.add(Ended(clock(), party=AGENT, sub=CUSTOMER))
    assert refused(revocations, token())
    assert not refused(revocations, token(sub=OTHER_CUSTOMER))
    assert not refused(revocations, token(actor=OTHER_AGENT, client_id=OTHER_AGENT))
    assert not refused(revocations, token(actor="", client_id="app"))


def test_what_is_issued_in_the_second_of_the_event_or_later_goes_on(
    revocations: Revocations, clock: SetClock
) -> None:
    clock.forward(seconds=0.9)
    revocations.add(Ended(clock(), party=AGENT))
    second = clock().replace(microsecond=0)
    assert refused(revocations, token(issued_at=second - timedelta(seconds=1)))
    assert not refused(revocations, token(issued_at=second))


def test_an_earlier_event_that_comes_later_takes_nothing_back(
    revocations: Revocations, clock: SetClock
) -> None:
    revocations.add(Ended(clock(), party=AGENT))
    revocations.add(Ended(NOON - timedelta(seconds=30), party=AGENT))
    assert refused(revocations, token())


def test_a_token_that_outlives_what_is_remembered_is_refused(revocations: Revocations) -> None:
    with pytest.raises(InvalidToken, match="longer than it could be ended"):
        revocations.check(token(life=LONGEST_TOKEN_LIFE + timedelta(seconds=1)))


def test_without_news_nothing_is_let_through(clock: SetClock) -> None:
    revocations = new_revocations(clock)
    with pytest.raises(NewsUnavailable):
        revocations.check(token())
    revocations.heard(revocations.now())
    revocations.check(token())
    clock.forward(seconds=9)
    revocations.check(token())
    clock.forward(seconds=1)
    with pytest.raises(NewsUnavailable):
        revocations.check(token())
    revocations.heard(revocations.now())
    revocations.check(token())


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_makes_nothing_known_and_takes_nothing_back(
    clock: SetClock, jump: timedelta
) -> None:
    passed = [0.0]
    revocations = Revocations(SILENCE, clock, lambda: passed[0])
    revocations.heard(revocations.now())
    revocations.add(Ended(clock(), jti="one"))
    clock.now += jump
    assert not revocations.is_current
    revocations.heard(revocations.now())
    revocations.forget_old()
    clock.now -= jump
    revocations.heard(revocations.now())
    assert refused(revocations, token(jti="one"))
    passed[0] += SILENCE.total_seconds()
    assert not revocations.is_current, "time has passed that the clock does not show"


def test_an_event_of_long_ago_is_kept_as_long_as_any(revocations: Revocations, clock: SetClock) -> None:
    revocations.add(Ended(NOON - timedelta(hours=1), jti="one"))
    revocations.forget_old()
    assert refused(revocations, token(jti="one"))


SECONDS = st.integers(0, 900)
KINDS = st.sampled_from(["jti", "party", "both"])
NAMES = st.sampled_from([AGENT, OTHER_AGENT, CUSTOMER])


@given(st.lists(st.tuples(SECONDS, KINDS, NAMES), max_size=40))
def test_every_entry_is_kept_while_it_can_concern_a_token_and_no_longer(
    events: list[tuple[int, str, str]],
) -> None:
    clock = SetClock(NOON)
    revocations = new_revocations(clock, timedelta(hours=1))
    concerned = []
    for seconds, kind, name in sorted(events):
        clock.now = NOON + timedelta(seconds=seconds)
        sub, jti = CUSTOMER if kind == "both" else None, f"{name} {seconds}"
        ended = Ended(clock(), jti=jti) if kind == "jti" else Ended(clock(), party=name, sub=sub)
        revocations.add(ended)
        revocations.add(ended)
        # The last token that it could concern: issued just before, living as long as any may.
        just_before = clock() - timedelta(seconds=1)
        names = {"jti": jti, "client_id": name, "actor": name}
        concerned.append(token(issued_at=just_before, life=LONGEST_TOKEN_LIFE, **names))
    assert len(revocations) <= len(set(events))
    for one in sorted(concerned, key=lambda one: one.expires_at):
        clock.now = max(clock(), one.expires_at - timedelta(seconds=1))
        revocations.heard(revocations.now())
        revocations.forget_old()
        assert all(refused(revocations, other) for other in concerned if other.expires_at > clock())
    clock.now = NOON + timedelta(seconds=900) + LONGEST_TOKEN_LIFE + timedelta(seconds=61)
    revocations.forget_old()
    assert len(revocations) == 0
