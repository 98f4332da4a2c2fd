"""The server's own protected resources: userinfo, the customer's grants, the customer's records.

They take the token that the banking app gets for the issuer's own audience, and none that an agent can hold.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.orm import Session

from auth_server.audit import record
from auth_server.authorization_server import NO_STORE
from auth_server.clients import Agent
from auth_server.context import Context, InContext
from auth_server.delegation_grants import grants_of, withdraw_grant
from auth_server.delegation_rules import smallest_limit
from auth_server.documented import PROTECTED, problem
from auth_server.oauth_request import form_parameters, is_form
from auth_server.people import enabled_person, role_claim
from auth_server.registered_agents import find_agent
from auth_server.scopes import DESCRIPTIONS
from auth_server.tables import RECORD, Customer, DelegationGrant
from delegation.bearer import BearerError, InsufficientScope, InvalidRequest, InvalidToken, bearer_token
from delegation.own_records import MOST_OWN_RECORDS, newest_records_of
from delegation.problem import Problem
from delegation.record import Decision, of_token
from delegation.record_table import records_of
from delegation.scope import Scope
from delegation.token import AccessToken, DelegationToken


def no_store(response: Response) -> None:
    """Keep an answer out of caches."""
    response.headers.update(NO_STORE)


router = APIRouter(tags=["own interfaces"], dependencies=[Depends(no_store)])
TraceId = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")]


def check_own_token(token: AccessToken, context: Context, scope: Scope) -> None:
    """Check that a customer's own app holds this token, for this server.

    Raises:
        InvalidToken: it is for another audience, an agent's own, or one under which somebody acts.
        InsufficientScope: it lacks the scope.
    """
    if (
        token.audience != (context.settings.issuer,)
        or isinstance(token, DelegationToken)
        or token.may_act is not None
    ):
        raise InvalidToken("This token is not for this interface.")
    if token.subject == token.client_id:
        raise InvalidToken("An actor token opens nothing but the token endpoint.")
    if not scope <= token.scope:
        raise InsufficientScope("The token does not carry the scope that this needs.", scope)


async def _token_in_form(request: Request) -> bool:
    """Tell whether the body carries an access token (RFC 6750 §2.2), which is not a way to send one here."""
    return is_form(request) and any(name == "access_token" for name, _ in await form_parameters(request))


def needs(scope: str, check: Callable[[AccessToken, Context, Scope], None] | None = None) -> Any:
    """Declare on a route the scope of the token that opens it; parameters are looked at after the token.

    `check` says whose token that is, by default a customer's own app's.
    """
    needed = Scope({scope})

    def authorized(
        request: Request, context: InContext, in_form: Annotated[bool, Depends(_token_in_form)]
    ) -> AccessToken:
        try:
            if in_form:
                raise InvalidRequest("Send the access token in the Authorization header, never in the body.")
            encoded = bearer_token(request.headers.getlist("authorization"), request.query_params)
            with context.transaction() as db:
                token = context.server.tokens.read(db, encoded, context.now())
            request.state.token = token  # whatever is refused from here on, its record names the customer
            (check or check_own_token)(token, context, needed)
        except BearerError as error:
            error.scope = needed
            raise
        return token

    return Depends(authorized)


@router.get("/userinfo", name="userinfo", responses=PROTECTED)
@router.post("/userinfo", name="userinfo", responses=PROTECTED)
def userinfo(context: InContext, token: Annotated[AccessToken, needs("openid")]) -> dict[str, str]:
    """Say who signed on (OpenID Connect Core §5.3), and with which role if it is a member of staff."""
    with context.transaction() as db:
        _permit(context, db, "userinfo", token)
        person = enabled_person(db, token.subject)
    if person is None:
        raise InvalidToken("Nobody may sign on under this name now.")
    return (
        {"sub": person.sub} | ({"name": person.name} if "profile" in token.scope else {}) | role_claim(person)
    )


@router.get("/grants", name="grant.list", responses=PROTECTED | problem(422))
def grants(
    context: InContext,
    token: Annotated[AccessToken, needs("grant_management_query")],
    agent_id: Annotated[
        str | None,
        Query(max_length=512, pattern=r"^[!-~]+$", description="an agent whose state is asked for as well"),
    ] = None,
) -> dict[str, Any]:
    """List what the customer allows, to whom, until when; of each agent the limit that counts for them.

    With `agent_id`, `agent` says in which state that agent is, so that an app knows whether it makes
    sense to ask the customer to allow it; null if there is none for this customer.
    """
    with context.transaction() as db:
        _permit(context, db, "grant.list", token)
        allowed = [_shown(db, grant) for grant in grants_of(db, token.subject, context.now())]
        if agent_id is None:
            return {"grants": allowed}
        shown = _agent_shown(agent_id, find_agent(db, agent_id), db.get(Customer, token.subject))
        return {"grants": allowed, "agent": shown if shown["is_for_you"] else None}


@router.delete(
    "/grants/{grant_id}",
    name="grant.withdraw",
    status_code=204,
    response_class=Response,
    responses=PROTECTED | problem(404, 422),
)
def withdraw(
    context: InContext,
    token: Annotated[AccessToken, needs("grant_management_revoke")],
    grant_id: Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")],
) -> None:
    """Withdraw a grant (Grant Management for OAuth 2.0 §6.4); what the agent holds under it ends as well."""
    with context.transaction() as db:
        grant = withdraw_grant(db, token.subject, grant_id, context.now())
        if grant is not None:
            subject = {"act": (grant.agent,), "scope": grant.scope, "resource": f"/grants/{grant.grant_id}"}
            _permit(context, db, "grant.withdraw", token, **subject)
        else:
            _record(context, db, "deny", "no such grant in force", "grant.withdraw", token)
    if grant is None:
        raise Problem(404, "There is no such grant in force; list the grants to see which there are.")


@router.get("/records", name="record.list", responses=PROTECTED | problem(422))
def records(
    context: InContext,
    token: Annotated[AccessToken, needs("openid")],
    trace_id: TraceId = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="`next` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_OWN_RECORDS)] = MOST_OWN_RECORDS,
    *,
    delegated: Annotated[bool, Query(description="only those in which an agent acted")] = False,
) -> dict[str, Any]:
    """List the customer's own records: of one trace, oldest first; without `trace_id` newest first, paged."""
    with context.transaction() as db:
        _permit(context, db, "record.list", token)
        if trace_id is not None:
            return {"records": records_of(db.connection(), RECORD, token.subject, trace_id), "next": None}
        found, following = newest_records_of(
            db.connection(), RECORD, token.subject, before=before, limit=limit, delegated=delegated
        )
        return {"records": found, "next": following}


def _permit(context: Context, db: Session, operation: str, token: AccessToken, **fields: Any) -> None:
    _record(context, db, "permit", "the customer's own token", operation, token, **fields)


def _record(
    context: Context,
    db: Session,
    decision: Decision,
    reason: str,
    operation: str,
    token: AccessToken,
    **fields: Any,
) -> None:
    record(db, 1, decision, reason, operation, time=context.now(), **of_token(token) | fields)


def _agent_shown(agent_id: str, agent: Agent | None, customer: Customer | None) -> dict[str, Any]:
    return {
        "id": agent_id,
        "name": agent.name if agent else agent_id,
        "owner": agent.owner if agent else "",
        "state": agent.state if agent else "retired",
        "is_for_you": bool(agent and customer and agent.is_for(customer.sub, customer.groups)),
        "max_transfer_minor": agent.max_transfer_minor if agent else None,
    }


def _shown(db: Session, grant: DelegationGrant) -> dict[str, Any]:
    agent, customer = find_agent(db, grant.agent), db.get(Customer, grant.sub)
    scope, shown = Scope.parse(grant.scope), _agent_shown(grant.agent, agent, customer)
    most = smallest_limit(shown["max_transfer_minor"], grant.max_transfer_minor)
    return {
        "grant_id": grant.grant_id,
        "agent": shown | {"max_transfer_minor": most},
        "scope": [{"name": n, "description": text} for n, text in DESCRIPTIONS.items() if n in scope],
        "created_at": grant.created_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
        "last_used_at": grant.last_used_at.isoformat() if grant.last_used_at else None,
        "last_used_scope": grant.last_used_scope,
    }
