"""Twins in which a client's own token passes for a customer's (RFC 9700 §4.15)."""

from contextlib import AbstractContextManager

from tests.e2e.in_process import AGENT, OTHER_AGENT, InProcess
from tests.e2e.jws import claims_of
from tests.e2e.twins.layer import Forward, Request, Response, json_response, layer
from tests.e2e.twins.token_exchange import with_claims
from tests.e2e.twins.twin import twin


@twin("AS-43", "lets an agent choose a sub, and this one took a customer's")
def gives_an_agent_a_customers_sub(stack: InProcess) -> AbstractContextManager[None]:
    """Name a customer in the other agent's own token."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        form = request.form
        is_it = form.get("grant_type") == "client_credentials" and form.get("client_id") == OTHER_AGENT
        return (is_it and with_claims(stack, answer, {"sub": "customer@example.com"})) or answer

    return stack.auth_server.inside(layer(handle))


@twin("AS-43", "takes the agent for a customer at its userinfo endpoint")
def has_userinfo_of_an_agent(stack: InProcess) -> AbstractContextManager[None]:
    """Ask only whether the token is good."""

    async def handle(request: Request, forward: Forward) -> Response:
        token = dict(request.headers).get("authorization", "").removeprefix("Bearer ")
        is_agents = request.path == "/userinfo" and claims_of(token).get("sub") == AGENT
        return json_response(200, sub=AGENT) if is_agents else await forward(request)

    return stack.auth_server.inside(layer(handle))
