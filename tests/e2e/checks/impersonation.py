"""Whether an exchange without an actor token was impersonation (RFC 8693 §1.1)."""

from typing import Any

from tests.e2e.authorization_server import issued
from tests.e2e.jws import claims_of
from tests.e2e.target import Target
from tests.e2e.wire import Answer


def not_impersonated(target: Target, answer: Answer, what: str) -> None:
    """Expect a refusal.

    A server that takes no actor tokens at all may also issue a token whose act names an actor: there it is
    the authenticated client that acts.

    Raises:
        Failed: it was neither.
    """
    if target.file.actor_token is None and answer.is_success and _shown_act(target, answer):
        return
    target.expect.refused(answer, what, "invalid_request")


def _shown_act(target: Target, answer: Answer) -> Any:
    token = issued(answer, "an accepted exchange")
    act = claims_of(token).get("act")
    if act is None and "introspection" not in target.file.not_offered:
        act = target.authorization_server.introspect(token).json().get("act")
    return act
