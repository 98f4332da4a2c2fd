"""Whose actor token it is, and that it stands in its place (RFC 8693 §1.1, §2.1)."""

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.minted_tokens import (
    mint_actor_token,
    require_sound_minting,
    takes_minted_actor_tokens,
)
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


@check("TX-21")
def the_actor_token_is_the_clients_own(target: Target) -> None:
    """Authenticate as the agent, and send another agent's actor token; then minted ones.

    Those are another agent's, or the agent's own by half: sub or client_id names it, the other claim another.
    """
    server = target.authorization_server
    tokens = {}
    if "other_agent" in server.clients:
        tokens["another agent's actor token"] = server.other_actor_token()
    if takes_minted_actor_tokens(target):
        tokens |= {
            "an actor token minted for another agent": mint_actor_token(
                target, sub=OTHER_AGENT, client_id=OTHER_AGENT
            ),
            "an actor token whose sub is another": mint_actor_token(target, sub=OTHER_AGENT),
            "an actor token that another client got": mint_actor_token(target, client_id=OTHER_AGENT),
        }
    if not tokens:
        raise NotRun(
            "It takes an actor token of another agent that is good for that one: [clients.other_agent]."
        )
    for what, token in tokens.items():
        target.expect.refused(server.exchange(actor_token=token), what, "invalid_request")


@check("TX-23")
def subject_and_actor_are_not_swapped(target: Target) -> None:
    """Send each token in the other's place, then the subject token in both places."""
    server, expect = target.authorization_server, target.expect
    subject, actor = target.file.subject_token, target.file.actor_token
    assert subject
    assert actor
    answer = server.exchange(
        subject_token=server.actor_token(),
        subject_token_type=actor.type,
        actor_token=server.subject_token(),
        actor_token_type=subject.type,
    )
    expect.refused(answer, "subject and actor token in each other's place", "invalid_request")
    answer = server.exchange(actor_token=server.subject_token(), actor_token_type=subject.type)
    expect.refused(answer, "the subject token as actor token", "invalid_request")


@check("TX-24")
def an_agent_is_not_its_own_subject(target: Target) -> None:
    """Send the actor token in both places; then a minted subject token, right but for its sub: the agent."""
    server, expect = target.authorization_server, target.expect
    section = target.file.actor_token
    assert section
    answer = server.exchange(subject_token=server.actor_token(), subject_token_type=section.type)
    expect.refused(answer, "the actor token as subject token", "invalid_request")
    if not target.lacks("minting"):
        require_sound_minting(target)
        answer = server.exchange(subject_token=server.mint_subject_token(sub=server.agent.client_id))
        expect.refused(answer, "a subject token whose sub is the agent", "invalid_request")
