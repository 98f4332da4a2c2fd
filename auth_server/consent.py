"""The consent page's form: what the customer allows the agent is kept as a grant. Step 1."""

from datetime import timedelta

from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from auth_server.audit import record
from auth_server.authorization_code import AuthorizationCodeGrant
from auth_server.authorize import finish, must_sign_on_again, refuse
from auth_server.browser_session import current_session
from auth_server.clients import Agent
from auth_server.consent_page import (
    LIMIT_FIELD,
    AgentStopped,
    agent_for_others,
    asked_scope,
    check_not_stopped,
    consent_page,
    limit_on_page,
    not_for_you_page,
    requested_agent,
)
from auth_server.context import Context, Form, InContext
from auth_server.csrf import ForeignForm
from auth_server.delegation_grants import give_grant
from auth_server.delegation_rules import smallest_limit
from auth_server.documented import AUTHORIZATION_REQUEST, PAGE
from auth_server.documented import form as form_of
from auth_server.oauth_errors import InvalidTarget
from auth_server.oauth_request import ServerRequest, parse_parameters, query_string
from auth_server.pages import error_page
from auth_server.tables import SignOnSession
from delegation.scope import Scope

router = APIRouter(tags=["sign-on"])
_ALLOW = "allow:"


@router.post(
    "/consent",
    name="grant.give",
    responses=PAGE,
    openapi_extra=AUTHORIZATION_REQUEST | form_of("csrf", "sid", "decision", LIMIT_FIELD),
)
def consent(request: Request, form: Form, context: InContext) -> Response:
    """Keep the customer's decision, and answer the authorization request in the query."""
    fields, query = dict(form), query_string(request)
    if not context.csrf.is_own_form(request, fields):
        raise ForeignForm
    with context.transaction() as db:
        session = current_session(db, request, context.settings, context.now())
        if session is None or session.sid != fields.get("sid"):
            raise ForeignForm
        oauth_request = context.request(db, "GET", "/authorize", parse_parameters(query))
        grant: AuthorizationCodeGrant | None = None
        try:
            grant = context.server.get_consent_grant(oauth_request, session)
            if must_sign_on_again(oauth_request, session):
                return RedirectResponse(f"/authorize?{query}", 303)
            outside = agent_for_others(oauth_request, session.sub)
            if outside:
                _record_outside(oauth_request, session, outside)
                if fields.get("decision") == "allow":  # the customer was asked before the agent was limited
                    return not_for_you_page(context, request, oauth_request, session, query, 403)
            elif not _keep_decision(context, oauth_request, session, fields):
                message = "Tick what the assistant may do, or go on without it."
                return consent_page(context, request, oauth_request, session, query, 400, message)
        except AgentStopped as stopped:
            return _stopped_page(context, request, oauth_request, session, stopped.agent, query)
        except OAuth2Error as error:
            return refuse(context, request, error, oauth_request, grant)
        return finish(context, oauth_request, grant, session)


def _keep_decision(
    context: Context, request: ServerRequest, session: SignOnSession, fields: dict[str, str]
) -> bool:
    """Keep what was ticked of what was asked; False when the customer allows something but ticked nothing."""
    agent = requested_agent(request, session.sub)
    if agent is None:
        check_not_stopped(request, session.sub)
        raise InvalidTarget("no agent is asked for")
    ticked = Scope(name.removeprefix(_ALLOW) for name in fields if name.startswith(_ALLOW))
    scope = asked_scope(request, agent) & ticked
    allows = fields.get("decision") == "allow"
    if allows and not scope:
        return False
    if allows:
        life = timedelta(days=context.settings.grant_days)
        most = smallest_limit(limit_on_page(fields), agent.max_transfer_minor)
        give_grant(
            request.db, session.sub, agent.client_id, scope, request.now, life, max_transfer_minor=most
        )
    record(
        request.db,
        1,
        "permit" if allows else "deny",
        "the customer allows the agent to act" if allows else "the customer allows the agent nothing new",
        "grant.give",
        sub=session.sub,
        act=(agent.client_id,),
        client_id=request.known_client.client_id,
        scope=str(scope if allows else asked_scope(request, agent)),
        time=request.now,
    )
    return True


def _record_outside(request: ServerRequest, session: SignOnSession, agent: Agent) -> None:
    record(
        request.db,
        1,
        "deny",
        "the agent may not act for this customer",
        "grant.give",
        sub=session.sub,
        act=(agent.client_id,),
        client_id=request.known_client.client_id,
        scope=str(asked_scope(request, agent)),
        time=request.now,
    )


def _stopped_page(
    context: Context,
    request: Request,
    oauth_request: ServerRequest,
    session: SignOnSession,
    agent: Agent,
    query: str,
) -> Response:
    """Say that there is nothing to allow now; whoever goes on is signed on without the agent."""
    record(
        oauth_request.db,
        1,
        "deny",
        f"this agent is not active but {agent.state}: nothing can be allowed",
        "grant.give",
        sub=session.sub,
        act=(agent.client_id,),
        client_id=oauth_request.known_client.client_id,
        time=oauth_request.now,
    )
    detail = (
        f"{agent.name} can do nothing for you now, whatever you allow, so nothing was changed. Your "
        "accounts and your own access are not affected. Go on without it, and ask again later."
    )
    return error_page(
        context, request, 409, "The bank has stopped this assistant", detail, f"/authorize?{query}", "Go on"
    )
