"""The consent page: which agent, whose, may do what, until when. The customer may allow less than asked."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from fastapi import Request, Response
from pydantic import TypeAdapter, ValidationError

from auth_server.agent_details import MinorUnits
from auth_server.clients import Agent
from auth_server.context import Context
from auth_server.csrf import ForeignForm
from auth_server.delegation_grants import grant_in_force
from auth_server.oauth_errors import InvalidTarget
from auth_server.oauth_request import ServerRequest
from auth_server.pages import page
from auth_server.registered_agents import agents_named
from auth_server.scopes import DESCRIPTIONS, TRANSFER
from auth_server.tables import Customer, SignOnSession
from delegation.scope import Scope

LIMIT_FIELD: Final = "max_transfer_minor"
_NO_LIMIT: Final = "none"
_MINOR_UNITS: Final = TypeAdapter[int](MinorUnits)


def requested_agent(request: ServerRequest, sub: str) -> Agent | None:
    """Return the agent that the request wants to be allowed to act for this customer, if any.

    One that is not active is passed over: the sign-on goes on without it. So is one that is not there for
    this customer, who is told (`agent_for_others`). For staff none is there.

    Raises:
        InvalidTarget: there are several; a customer decides on one at a time.
    """
    agents = [agent for agent, is_for in _agents_asked_for(request, sub) if is_for and agent.is_active]
    if len(agents) > 1:
        raise InvalidTarget("ask for one agent at a time")
    return agents[0] if agents and asked_scope(request, agents[0]) else None


def agent_for_others(request: ServerRequest, sub: str) -> Agent | None:
    """Return the agent that is asked for and acts for other customers only; None if another is there."""
    if requested_agent(request, sub) is not None:
        return None
    asked_for = _agents_asked_for(request, sub)
    others = (agent for agent, is_for in asked_for if agent.is_active and not is_for)
    return next((agent for agent in others if asked_scope(request, agent)), None)


def _agents_asked_for(request: ServerRequest, sub: str) -> Iterator[tuple[Agent, bool]]:
    """Yield the agents asked for, each with whether it is meant for this customer; none for staff."""
    customer = request.db.get(Customer, sub)
    if customer is not None:
        for agent in agents_named(request.db, request.all("resource")).values():
            yield agent, agent.is_for(sub, customer.groups)


class AgentStopped(Exception):
    """The agent that a customer is about to allow something may do nothing now, whatever they allow."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent.state)
        self.agent = agent


def check_not_stopped(request: ServerRequest, sub: str) -> None:
    """Check that no agent is asked for that is there for this customer but stopped, or not begun yet.

    Raises:
        AgentStopped: one is.
    """
    for agent, is_for in _agents_asked_for(request, sub):
        if is_for and not agent.is_active:
            raise AgentStopped(agent)


def asked_scope(request: ServerRequest, agent: Agent) -> Scope:
    """Return what the request asks the customer to allow the agent."""
    return request.known_client.may_allow & agent.most_scope & Scope.parse(request.scope)


def agent_to_consent_to(request: ServerRequest, session: SignOnSession, *, ask_again: bool) -> Agent | None:
    """Return the agent that the customer has to decide on now, if any."""
    agent = requested_agent(request, session.sub)
    if agent is None or ask_again:
        return agent
    return None if grant_in_force(request.db, session.sub, agent.client_id, request.now) else agent


def consent_page(
    context: Context,
    request: Request,
    oauth_request: ServerRequest,
    session: SignOnSession,
    query: str,
    status: int = 200,
    message: str = "",
) -> Response:
    """Render the page. What moves money is never ticked beforehand; the customer's earlier choice is."""
    agent = requested_agent(oauth_request, session.sub)
    if agent is None:
        raise InvalidTarget("no agent is asked for")
    asked = asked_scope(oauth_request, agent)
    grant = grant_in_force(oauth_request.db, session.sub, agent.client_id, oauth_request.now)
    ticked = Scope.parse(grant.scope) if grant else asked - TRANSFER
    return page(
        context,
        request,
        "consent.html",
        status,
        oauth_request.payload.redirect_uri,
        action=f"/consent?{query}",
        message=message,
        agent=agent,
        app=oauth_request.client,
        customer=session.sub,
        sid=session.sid,
        permissions=[(name, text, name in ticked) for name, text in DESCRIPTIONS.items() if name in asked],
        limits=_limits(agent),
        limit_field=LIMIT_FIELD,
        limit_read=agent.max_transfer_minor or _NO_LIMIT,
        has_grant=grant is not None,
        until=oauth_request.now + timedelta(days=context.settings.grant_days),
    )


def not_for_you_page(
    context: Context,
    request: Request,
    oauth_request: ServerRequest,
    session: SignOnSession,
    query: str,
    status: int = 200,
) -> Response:
    """Tell the customer that the agent acts for others only. Its form goes on without it."""
    return page(
        context,
        request,
        "not_for_you.html",
        status,
        oauth_request.payload.redirect_uri,
        action=f"/consent?{query}",
        agent=agent_for_others(oauth_request, session.sub),
        app=oauth_request.client,
        customer=session.sub,
        sid=session.sid,
    )


def limit_on_page(fields: dict[str, str]) -> int | None:
    """Return the limit that the page named on which this answer was given; None if it named none.

    The agent's may have changed since: a customer allows what they read.

    Raises:
        ForeignForm: the form does not say; this server's does.
    """
    named = fields.get(LIMIT_FIELD)
    if named == _NO_LIMIT:
        return None
    try:
        return _MINOR_UNITS.validate_strings(named)
    except ValidationError as error:
        raise ForeignForm from error


def _limits(agent: Agent) -> dict[str, str]:
    """Return the agent's own limit of what a scope permits, in the words of the page."""
    most = agent.max_transfer_minor
    return {} if most is None else dict.fromkeys(TRANSFER, f"{most / 100:,.2f} in the account's currency")
