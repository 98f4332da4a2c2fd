"""Minted tokens, and whether the server takes them when nothing is wrong with them.

A server that refuses every minted token would otherwise pass each check that sends one with a flaw.
"""

from typing import Any

from tests.e2e.target import Target
from tests.e2e.verdict import NotRun


def require_sound_minting(target: Target) -> None:
    """Exchange a minted subject token without a flaw.

    Raises:
        NotRun: it is refused.
    """
    server = target.authorization_server
    answer = server.exchange(subject_token=server.mint_subject_token())
    if not answer.is_success:
        raise NotRun(
            f"It takes subject tokens that this server accepts; what [minting] made is answered {answer}. "
            "Claims that it wants besides are said in subject_token.claims."
        )


def mint_actor_token(target: Target, **changes: Any) -> str:
    """Mint an actor token like the agent's own, with some claims changed; None leaves one out."""
    server = target.authorization_server
    agent = server.agent.client_id
    own: dict[str, Any] = {"sub": agent, "client_id": agent, "aud": server.issuer, "may_act": None}
    return server.mint_subject_token(**own | changes)


def takes_minted_actor_tokens(target: Target) -> bool:
    """Tell whether the suite mints actor tokens that the server accepts."""
    if target.file.actor_token is None or target.lacks("minting"):
        return False
    return target.authorization_server.exchange(actor_token=mint_actor_token(target)).is_success
