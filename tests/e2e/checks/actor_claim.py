"""The act claim of delegation tokens (RFC 8693 §4.1)."""

from typing import Any, Final

from tests.e2e.authorization_server import OTHER_AGENT, issued
from tests.e2e.check import check
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

_MEANINGLESS: Final = ("exp", "nbf", "aud")
_IDENTIFYING: Final = ("sub", "client_id")


@check("TX-12")
def act_identifies_the_actor_and_nothing_more(target: Target) -> None:
    """Look at act of the legitimate delegation token, and at each act nested in it."""
    act = claims_of(target.authorization_server.delegation_token()).get("act")
    while True:
        shown = "no act" if act is None else act
        target.expect.that("act", "to be a JSON object", shown, holds=isinstance(act, dict))
        assert isinstance(act, dict)
        identity = [name for name, value in act.items() if isinstance(value, str) and value]
        target.expect.that("act", "to identify the actor by a string, like sub", act, holds=bool(identity))
        useless = [name for name in _MEANINGLESS if name in act]
        target.expect.that("act", "to hold no exp, nbf or aud", act, holds=not useless)
        if "act" not in act:
            return
        act = act["act"]


@check("TX-13")
def the_current_actor_is_outermost(target: Target) -> None:
    """Compare act with the agent; then exchange a subject token that has an actor already.

    The order in a chain is tried only where chains are offered and the suite mints subject tokens.
    """
    server, expect = target.authorization_server, target.expect
    act = claims_of(server.delegation_token()).get("act")
    expect.that("act", "to name the agent", act, holds=_names_the_agent(target, act))
    if "chain" in target.file.not_offered or target.lacks("minting"):
        return
    act = _act_after(target, OTHER_AGENT)
    expect.that("the outermost act", "to name the agent", act, holds=_names_the_agent(target, act))
    holds = "act" not in act or _names(act["act"], OTHER_AGENT)
    expect.that("the act nested in it", f"to be the actor before, {OTHER_AGENT}", act, holds=holds)


@check("TX-90")
def prior_actors_stay_in_the_chain(target: Target) -> None:
    """Exchange a subject token that has an actor already, and find that actor nested."""
    act = _act_after(target, OTHER_AGENT)
    holds = _names(act.get("act"), OTHER_AGENT)
    target.expect.that("act", f"to keep the actor before, {OTHER_AGENT}, nested", act, holds=holds)


def _act_after(target: Target, prior: str) -> dict[str, Any]:
    """Return the act that follows upon a subject token with this actor."""
    server = target.authorization_server
    answer = server.exchange(subject_token=server.mint_subject_token(act={"sub": prior}))
    if not answer.is_success:
        raise NotRun(
            "It takes a server that exchanges a subject token with act; one that does not says so: "
            "not_offered.chain."
        )
    act = claims_of(issued(answer, "an accepted exchange")).get("act")
    target.expect.that("act", "to be a JSON object", act, holds=isinstance(act, dict))
    assert isinstance(act, dict)
    return act


def _names_the_agent(target: Target, act: Any) -> bool:
    """Tell whether act names the agent, by its client_id or by the sub of its actor token.

    Raises:
        NotRun: it names somebody whom the suite does not know, and the actor token cannot be read.
    """
    server = target.authorization_server
    if _names(act, server.agent.client_id):
        return True
    if not target.file.actor_token:
        return False
    own = claims_of(server.actor_token())
    others = [one.client_id for one in server.clients.values() if one.client_id != server.agent.client_id]
    if not own and isinstance(act, dict) and not any(_names(act, name) for name in others):
        raise NotRun("It takes an actor token that can be read, or an act that names the agent's client_id.")
    return _names(act, own.get("sub"))


def _names(act: Any, name: Any) -> bool:
    return isinstance(act, dict) and name is not None and name in [act.get(one) for one in _IDENTIFYING]
