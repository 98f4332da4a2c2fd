"""Chains of actors: what bounds them, and that no scope comes back in them (RFC 8693 §4.1)."""

from typing import Any, Final

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.delegated_scope import held_scope
from tests.e2e.checks.minted_tokens import require_sound_minting
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

_TOO_DEEP: Final = 64
_TOO_LARGE_BYTES: Final = 100_000


@check("TX-25")
def chains_are_bounded(target: Target) -> None:
    """Exchange a subject token with 64 actors, and one with an actor of 100 kB; both are too much anywhere.

    Where the bound is, is the server's choice, and its error too: 413 and 431 are as good. A chain in which
    the agent stands already, behind another, is legitimate.
    """
    server, expect = target.authorization_server, target.expect
    _require_chains(target)
    deep = _chain([f"{OTHER_AGENT}/{number}" for number in range(_TOO_DEEP)])
    answer = server.exchange(subject_token=server.mint_subject_token(act=deep))
    expect.refused(answer, f"a subject token with a chain of {_TOO_DEEP} actors")
    large = {"sub": f"{OTHER_AGENT}/{'x' * _TOO_LARGE_BYTES}"}
    answer = server.exchange(subject_token=server.mint_subject_token(act=large))
    expect.refused(answer, f"a subject token with an act of {_TOO_LARGE_BYTES} bytes")
    returning = _chain([OTHER_AGENT, server.agent.client_id])
    answer = server.exchange(subject_token=server.mint_subject_token(act=returning))
    expect.accepted(answer, "a subject token of a chain in which the agent stands once already")


@check("TX-27")
def a_scope_never_comes_back(target: Target) -> None:
    """Exchange a subject token that has an actor and has kept one scope; ask for the one that it gave up.

    It is asked for alone, and beside the one that was kept. The customer has granted both.
    """
    server, section = target.authorization_server, target.authorization_server.exchange_section
    if not (section.scope and section.second_scope):
        raise NotRun("It takes two scopes that the customer has granted: exchange.scope and second_scope.")
    _require_chains(target)
    kept = server.mint_subject_token(act={"sub": OTHER_AGENT}, scope=section.scope)
    lost = set(section.second_scope.split()) - set(section.scope.split())
    for requested in (section.second_scope, f"{section.scope} {section.second_scope}"):
        answer = server.exchange(subject_token=kept, scope=requested)
        what = f"an exchange for scope {requested}, given up in part earlier in the chain,"
        if not answer.is_success:
            target.expect.refused(answer, what)
            continue
        held = held_scope(target, answer, requested)
        shown = " ".join(sorted(held))
        target.expect.that(what, f"to yield nothing of {' '.join(lost)}", shown, holds=not held & lost)


def _require_chains(target: Target) -> None:
    require_sound_minting(target)
    server = target.authorization_server
    answer = server.exchange(subject_token=server.mint_subject_token(act={"sub": OTHER_AGENT}))
    if not answer.is_success:
        raise NotRun(
            "It takes a server that exchanges a subject token with act; one that does not says so: "
            "not_offered.chain."
        )


def _chain(actors: list[str]) -> dict[str, Any]:
    """Return the act of a chain, the current actor first."""
    act: dict[str, Any] = {}
    for sub in reversed(actors):
        act = {"sub": sub} | ({"act": act} if act else {})
    return act
