"""Twins whose gateway decides by the wrong actor, or by none (RFC 8693 §4.1)."""

from contextlib import AbstractContextManager
from typing import Any

from tests.e2e.in_process import AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.lax_gateway import accepting
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.twin import twin


@twin("RS-71", "takes a token without act for the agent's")
def requires_no_act(stack: InProcess) -> AbstractContextManager[None]:
    """Accept the customer in person at the agents' door."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        return {"act": {"sub": AGENT}} if "act" not in claims and claims.get("client_id") == AGENT else None

    return accepting(stack, flawed)


@twin("RS-71", "takes an act that names nobody")
def takes_an_act_of_nobody(stack: InProcess) -> AbstractContextManager[None]:
    """Accept an empty act."""
    return accepting(
        stack, lambda _header, claims: {"act": {"sub": AGENT}} if claims.get("act") == {} else None
    )


@twin("RS-71", "lets every agent act")
def lets_every_agent_act(stack: InProcess) -> AbstractContextManager[None]:
    """Accept an agent that the policy does not name."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        act = claims.get("act")
        is_another = isinstance(act, dict) and act.keys() == {"sub"} and act["sub"] not in {AGENT, ""}
        return {"act": {"sub": AGENT}} if is_another else None

    return accepting(stack, flawed)


@twin("TX-14", "lets act whoever has an allowed agent in the chain")
def decides_by_any_actor_of_the_chain(stack: InProcess) -> AbstractContextManager[None]:
    """Take the nested actor for the one that acts."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        act = claims.get("act")
        nested = act.get("act") if isinstance(act, dict) else None
        return {"act": nested} if isinstance(nested, dict) and nested.get("sub") == AGENT else None

    return accepting(stack, flawed)


@twin("TX-14", "counts a scope inside act")
def counts_a_scope_inside_act(stack: InProcess) -> AbstractContextManager[None]:
    """Take the actor's scope for the token's."""

    def flawed(_header: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any] | None:
        act = claims.get("act")
        return {"scope": act["scope"]} if isinstance(act, dict) and "scope" in act else None

    return accepting(stack, flawed)


@twin("TX-14", "wants every actor of a chain to be allowed")
def decides_by_every_actor_of_the_chain(stack: InProcess) -> AbstractContextManager[None]:
    """Refuse an allowed agent for one that acted before it."""

    async def handle(request: Request, forward: Forward) -> Response:
        authorization = next((value for name, value in request.headers if name == "authorization"), "")
        act = claims_of(authorization.partition(" ")[2]).get("act")
        if isinstance(act, dict) and "act" in act:
            return json_response(403, detail="an actor before is not allowed")
        return await forward(request)

    return stack.gateway.inside(layer(handle))
