"""Twins that do not ask for whom a subject token was made, or whether its customer is still there."""

from contextlib import AbstractContextManager
from typing import Final
from unittest.mock import patch

import auth_server.browser_session
from delegation.token import DelegationToken
from tests.e2e.authorization_server import OTHER_AGENT as THIRD_AGENT
from tests.e2e.in_process import AGENT, OTHER_AGENT, InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.lenient import RESOURCE, issued_anyway, read_otherwise, unchecked
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_DESCENDANTS: Final = {"LC-75": Verdict.FAIL}
"""What was exchanged for a token that has not ended has not ended either."""


@twin("TX-22", "takes a token for the resource, which any app may hold, for a subject token")
def takes_an_app_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Ask only whether it is a customer's."""
    return unchecked(
        "check_subject_token",
        lambda r: r.subject.audience == (RESOURCE,) and not isinstance(r.subject, DelegationToken),
    )


@twin("TX-22", "takes a delegation token for the resource for a subject token")
def takes_a_delegation_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Let whoever holds one go on from there."""
    return unchecked(
        "check_subject_token",
        lambda r: r.subject.audience == (RESOURCE,) and isinstance(r.subject, DelegationToken),
    )


@twin("TX-22", "takes a subject token that was made for another agent")
def takes_another_agents_subject_token(_stack: InProcess) -> AbstractContextManager[object]:
    """Look at neither aud nor may_act when both name another."""
    return unchecked("check_subject_token", lambda r: r.subject.audience == (THIRD_AGENT,))


@twin("TX-22", "lets any agent exchange any customer's subject token")
def serves_any_agent(stack: InProcess) -> AbstractContextManager[None]:
    """Ask only whether the actor token is the client's own."""

    def is_another_agents(request: Request) -> bool:
        return request.form.get("client_id") == OTHER_AGENT

    return issued_anyway(stack, is_another_agents, client_id=OTHER_AGENT, act={"sub": OTHER_AGENT})


@twin("TX-31", "is content when the agent is among the audiences")
def takes_several_audiences(_stack: InProcess) -> AbstractContextManager[object]:
    """Look for the agent in aud."""
    return unchecked("check_subject_token", lambda r: r.agent in r.subject.audience[1:])


@twin("TX-31", "is content when the agent is the first of the audiences")
def looks_at_the_first_audience(_stack: InProcess) -> AbstractContextManager[object]:
    """Leave the others unread."""
    return unchecked(
        "check_subject_token", lambda r: len(r.subject.audience) > 1 and r.subject.audience[0] == r.agent
    )


@twin("TX-31", "takes a token without aud for one for everybody")
def takes_no_audience_for_everybody(_stack: InProcess) -> AbstractContextManager[object]:
    """Read the agent into it."""
    return read_otherwise(lambda claims: {} if "aud" in claims else {"aud": AGENT})


@twin("TX-31", "takes an empty list of audiences for everybody")
def takes_an_empty_audience_for_everybody(_stack: InProcess) -> AbstractContextManager[object]:
    """Read the agent into it."""
    return read_otherwise(lambda claims: {"aud": AGENT} if claims.get("aud") == [] else {})


@twin("TX-35", "ends the session at sign-out, and leaves its tokens", also=_DESCENDANTS)
def leaves_tokens_at_sign_out(_stack: InProcess) -> AbstractContextManager[object]:
    """Revoke nothing."""
    return patch.object(auth_server.browser_session, "revoke_session", lambda *_: None)


@twin("TX-35", "says that the customer is signed out, and ends nothing", also=_DESCENDANTS)
def only_says_signed_out(stack: InProcess) -> AbstractContextManager[None]:
    """Forget the hint, and with it whose session is to end."""

    async def handle(request: Request, forward: Forward) -> Response:
        ends = request.path == "/end-session"
        return (
            Response(200, (("content-type", "text/html"),), b"<p>Bye</p>") if ends else await forward(request)
        )

    return stack.auth_server.inside(layer(handle))
