"""Twins whose delegation tokens say wrongly who acts (RFC 8693 §4.1)."""

from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

import auth_server.token_exchange
from auth_server.delegation_rules import ExchangeRequest, current_actor
from delegation.token import Actor
from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.layer import Request
from tests.e2e.twins.token_exchange import reissued
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_EVERY_ACT: Final = {
    "TX-13": Verdict.FAIL,
    "TX-90": Verdict.FAIL,
    "LC-73": Verdict.NOT_RUN,
    "LC-74": Verdict.FAIL,
    "LC-75": Verdict.NOT_RUN,
    "LC-76": Verdict.NOT_RUN,
}
"""Without a good act the server itself does not know its token again."""


@twin("TX-12", "writes act as a string", also=_EVERY_ACT | {"LC-92": Verdict.FAIL})
def writes_act_as_a_string(stack: InProcess) -> AbstractContextManager[None]:
    """Write the agent's identifier alone."""
    return reissued(stack, lambda _request, _claims: {"act": AGENT})


@twin(
    "TX-12",
    "copies the actor token into act, its times and audience included",
    also={"LC-73": Verdict.FAIL},
)
def copies_the_actor_token(stack: InProcess) -> AbstractContextManager[None]:
    """Write every claim of the actor token."""

    def change(request: Request, claims: dict[str, Any]) -> dict[str, Any]:
        return {"act": claims_of(request.form.get("actor_token", "")) | claims.get("act", {})}

    return reissued(stack, change)


@twin("TX-13", "names the app as the actor", also={"TX-90": Verdict.FAIL, "LC-92": Verdict.FAIL})
def names_another_actor(stack: InProcess) -> AbstractContextManager[None]:
    """Take the client of the subject token for whoever acts."""
    return reissued(stack, lambda _request, _claims: {"act": {"sub": "banking-app"}})


@twin("TX-90", "forgets who acted before")
def forgets_prior_actors(_stack: InProcess) -> AbstractContextManager[object]:
    """Write the agent alone."""

    def alone(request: ExchangeRequest) -> Actor:
        return Actor(current_actor(request).sub)

    return patch.object(auth_server.token_exchange, "current_actor", alone)


@twin("TX-13", "puts the prior actor outermost", also={"TX-90": Verdict.FAIL})
def puts_the_prior_actor_outermost(_stack: InProcess) -> AbstractContextManager[object]:
    """Turn the chain around."""

    def turned(request: ExchangeRequest) -> Actor:
        actor = None
        for sub in current_actor(request).chain:
            actor = Actor(sub, actor)
        assert actor
        return actor

    return patch.object(auth_server.token_exchange, "current_actor", turned)
