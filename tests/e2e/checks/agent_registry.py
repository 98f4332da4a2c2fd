"""What ends when an agent is disabled (rules of this catalogue)."""

import time
from typing import Final

from tests.e2e.agent_switch import suspended
from tests.e2e.check import check
from tests.e2e.checks.revocation import is_active
from tests.e2e.target import Target
from tests.e2e.verdict import NotRun

_POLLS: Final = 10
_REFUSED: Final = (
    "invalid_client",
    "unauthorized_client",
    "invalid_grant",
    "invalid_request",
    "access_denied",
)


@check("LC-76")
def a_disabled_agents_tokens_end(target: Target) -> None:
    """Delegate, suspend the agent, act as it, introspect its tokens; let it go on, and introspect again.

    Within revocation_bound_seconds an exchange must be refused, and a new actor token where it comes from
    client credentials; introspection must call neither token active, or refuse to answer the agent. What has
    ended must not come back with the agent. Whether the resource notices is not tried.
    """
    server, expect = target.authorization_server, target.expect
    tokens = {"a delegation token": server.delegation_token()}
    if target.file.actor_token:
        tokens["an actor token"] = server.actor_token()
    if not all(is_active(target, token) for token in tokens.values()):
        raise NotRun("It takes introspection that the agent may use for its own tokens.")
    requests = {"an exchange by": server.exchange_form()}
    section = target.file.actor_token
    if section and section.source == "client_credentials":
        scope = [("scope", section.scope)] if section.scope else []
        requests["a new actor token of"] = [("grant_type", "client_credentials"), *scope]
    server.forget_actor_token()
    with suspended(target.switch_agent):
        deadline = time.monotonic() + server.section.revocation_bound_seconds
        for what, form in requests.items():
            while (answer := server.token(form, server.agent)).is_success and time.monotonic() < deadline:
                time.sleep(server.section.revocation_bound_seconds / _POLLS)
            expect.refused(answer, f"{what} a suspended agent", _REFUSED, (400, 401, 403))
        for what, token in tokens.items():
            _ends(target, token, f"{what} of a suspended agent", deadline)
    for what, token in tokens.items():
        _ends(target, token, f"{what} from before the suspension, once the agent goes on,", deadline)


def _ends(target: Target, token: str, what: str, deadline: float) -> None:
    bound = target.authorization_server.section.revocation_bound_seconds
    while (active := is_active(target, token)) and time.monotonic() < deadline:
        time.sleep(bound / _POLLS)
    target.expect.that(what, f"to be inactive within {bound:g} s", "it is still active", holds=not active)
