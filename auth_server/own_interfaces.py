"""The server's own protected resources: userinfo, the customer's grants, the customer's records.

They take the token that the banking app gets for the issuer's own audience, and none that an agent can hold.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from auth_server.audit import record
from auth_server.context import Context, InContext
from auth_server.delegation_grants import grants_of, withdraw_grant
from auth_server.documented import PROTECTED, problem
from auth_server.scopes import DESCRIPTIONS
from auth_server.tables import RECORD, Customer, DelegationGrant
from delegation.bearer import BearerError, InsufficientScope, InvalidToken, bearer_token
from delegation.problem import Problem
from delegation.record import of_token
from delegation.record_table import records_of
from delegation.scope import Scope
from delegation.token import AccessToken, DelegationToken

router = APIRouter(tags=["own interfaces"])
TraceId = Annotated[str, Query(pattern="^[0-9a-f]{32}$")]


def check_own_token(token: AccessToken, issuer: str, scope: Scope) -> None:
    """Check that a customer's own app holds this token, for this server.

    Raises:
        InvalidToken: it is for another audience, an agent's own, or one under which somebody acts.
        InsufficientScope: it lacks the scope.
    """
    if token.audience != (issuer,) or isinstance(token, DelegationToken) or token.may_act is not None:
        raise InvalidToken("This token is not for this interface.")
    if token.subject == token.client_id:
        raise InvalidToken("An actor token opens nothing but the token endpoint.")
    if not scope <= token.scope:
        raise InsufficientScope("The token does not carry the scope that this needs.", scope)


@router.get("/userinfo", responses=PROTECTED)
def userinfo(request: Request, context: InContext) -> dict[str, str]:
    """Say who signed on (OpenID Connect Core §5.3)."""
    token = _authorized(context, request, "openid", "userinfo")
    with context.transaction() as db:
        customer = db.get(Customer, token.subject)
        return {"sub": token.subject} | ({"name": customer.name} if customer else {})


@router.get("/grants", responses=PROTECTED)
def grants(request: Request, context: InContext) -> dict[str, list[dict[str, Any]]]:
    """List what the customer allows, to whom, until when."""
    token = _authorized(context, request, "grant_management_query", "grant.list")
    with context.transaction() as db:
        return {"grants": [_shown(context, grant) for grant in grants_of(db, token.subject, context.now())]}


@router.delete(
    "/grants/{grant_id}", status_code=204, response_class=Response, responses=PROTECTED | problem(404)
)
def withdraw(
    request: Request, context: InContext, grant_id: Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")]
) -> None:
    """Withdraw a grant (Grant Management for OAuth 2.0 §6.4); the next exchange under it is refused."""
    token = _authorized(context, request, "grant_management_revoke", "grant.withdraw")
    with context.transaction() as db:
        grant = withdraw_grant(db, token.subject, grant_id, context.now())
        if grant is None:
            raise Problem(404, "There is no such grant in force; list the grants to see which there are.")
        record(
            db,
            1,
            "permit",
            "the customer withdrew what the agent was allowed",
            "grant.withdraw",
            resource=f"/grants/{grant.grant_id}",
            time=context.now(),
            **of_token(token) | {"act": (grant.agent,), "scope": grant.scope},
        )


@router.get("/records", responses=PROTECTED)
def records(request: Request, context: InContext, trace_id: TraceId) -> dict[str, list[dict[str, object]]]:
    """List the customer's own records of one trace, oldest first."""
    token = _authorized(context, request, "openid", "record.list")
    with context.transaction() as db:
        return {"records": records_of(db.connection(), RECORD, token.subject, trace_id)}


def _authorized(context: Context, request: Request, scope: str, operation: str) -> AccessToken:
    """Return the caller's token if it opens this interface; the decision is recorded either way."""
    token: AccessToken | None = None
    try:
        encoded = bearer_token(request.headers.getlist("authorization"), request.query_params)
        with context.transaction() as db:
            token = context.server.tokens.read(db, encoded, context.now())
        check_own_token(token, context.settings.issuer, Scope({scope}))
    except BearerError as error:
        with context.transaction() as db:
            record(db, 1, "deny", error.description, operation, time=context.now(), **of_token(token))
        raise
    with context.transaction() as db:
        record(db, 1, "permit", "the customer's own token", operation, time=context.now(), **of_token(token))
    return token


def _shown(context: Context, grant: DelegationGrant) -> dict[str, Any]:
    agent = context.clients.get(grant.agent)
    scope = Scope.parse(grant.scope)
    return {
        "grant_id": grant.grant_id,
        "agent": {
            "id": grant.agent,
            "name": agent.name if agent else grant.agent,
            "owner": agent.owner if agent else "",
        },
        "scope": [{"name": n, "description": text} for n, text in DESCRIPTIONS.items() if n in scope],
        "created_at": grant.created_at.isoformat(),
        "expires_at": grant.expires_at.isoformat(),
        "last_used_at": grant.last_used_at.isoformat() if grant.last_used_at else None,
    }
