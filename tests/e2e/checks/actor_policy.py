"""Which agent may act, as the resource sees it (RFC 8693 §4.1)."""

from typing import Final

from tests.e2e.authorization_server import OTHER_AGENT
from tests.e2e.check import check
from tests.e2e.checks.resource_tokens import REFUSED
from tests.e2e.target import Target

_ANOTHER: Final = {"sub": OTHER_AGENT}


@check("RS-71")
def only_agents_that_the_policy_names_act(target: Target) -> None:
    """Send tokens without act, with one that names nobody, and of an agent that the policy does not name."""
    resource, expect = target.resource, target.expect
    for act in (None, {}, {"sub": ""}, resource.actor, [{"sub": resource.actor}]):
        answer = resource.call(resource.read, resource.mint(act=act))
        expect.denied(answer, f"a token whose act is {act}", REFUSED)
    answer = resource.call(resource.read, resource.mint(act=_ANOTHER, client_id=OTHER_AGENT))
    expect.denied(answer, "an agent that the policy does not name", 403)


@check("TX-14")
def nested_actors_do_not_decide(target: Target) -> None:
    """Send a chain whose outermost actor is unknown and whose nested one is allowed; then the reverse.

    Where the operation needs a scope, send one that only act has.
    """
    resource, expect = target.resource, target.expect
    allowed = {"sub": resource.actor}
    answer = resource.call(resource.read, resource.mint(act=_ANOTHER | {"act": allowed}))
    expect.denied(answer, "an unknown agent behind which an allowed one stands", REFUSED)
    answer = resource.call(resource.read, resource.mint(act=allowed | {"act": _ANOTHER}))
    expect.accepted(answer, "an allowed agent behind which an unknown one stands")
    if resource.read.scope:
        act = allowed | {"scope": resource.read.scope}
        answer = resource.call(resource.read, resource.mint(act=act, scope=None))
        expect.denied(answer, "a token whose scope stands inside act", REFUSED)
