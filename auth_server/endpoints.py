"""The endpoints that clients call: token, introspection, revocation, keys, discovery."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from auth_server.context import ClientForm, Context, InContext, client_form
from auth_server.documented import OAUTH, form
from auth_server.exchange_door import FAILURE, is_exchange
from auth_server.metadata import metadata
from auth_server.oauth_request import Parameters
from delegation.signing_key import jwk_set


class TokenRoute(APIRoute):
    """The token endpoint. Exchanges are decided together; the other grants in worker threads, each alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which reads the form once; it has nothing else that FastAPI could resolve."""

        async def handle(request: Request) -> Response:
            if failure := request.scope.get(FAILURE):
                raise failure
            parameters = await client_form(request)
            context: Context = request.app.state.context
            if is_exchange(parameters):
                return (await context.exchanges.answer(parameters)).as_http()
            return await run_in_threadpool(_token, context, parameters)

        return handle


router = APIRouter(tags=["protocol"])
token_router = APIRouter(tags=["protocol"], route_class=TokenRoute)
_CLIENT = {
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "client_assertion": "a JWT signed by the client (RFC 7523)",
}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "Done", "content": {"application/json": {"schema": {"type": "object"}}}},
    **OAUTH,
}


@token_router.post(
    "/token",
    name="token.unknown_grant",
    responses=_ANSWER,
    openapi_extra=form(
        "grant_type",
        **_CLIENT,
        code="RFC 6749 section 4.1.3",
        redirect_uri="RFC 6749 section 4.1.3",
        code_verifier="RFC 7636 section 4.5",
        refresh_token="RFC 6749 section 6",  # noqa: S106 - a description
        resource="RFC 8707 section 2",
        scope="RFC 6749 section 3.3",
        subject_token="RFC 8693 section 2.1",  # noqa: S106 - a description
        subject_token_type="RFC 8693 section 2.1",  # noqa: S106 - a description
        actor_token="RFC 8693 section 2.1",  # noqa: S106 - a description
        actor_token_type="RFC 8693 section 2.1",  # noqa: S106 - a description
    ),
)
def token() -> None:
    """Issue a token under one of the registered grants (RFC 6749 §3.2)."""


def _token(context: Context, parameters: Parameters) -> Response:
    with context.transaction() as db:
        request = context.request(db, "POST", "/token", parameters)
        return context.server.create_token_response(request).as_http()


@router.post(
    "/introspect",
    name="token.introspection",
    responses=_ANSWER,
    openapi_extra=form("token", **_CLIENT),
)
def introspect(parameters: ClientForm, context: InContext) -> Response:
    """Tell about a token (RFC 7662)."""
    with context.transaction() as db:
        request = context.request(db, "POST", "/introspect", parameters)
        return context.server.answer("introspection", request).as_http()


@router.post(
    "/revoke",
    name="token.revocation",
    responses=_ANSWER,
    openapi_extra=form("token", **_CLIENT),
)
def revoke(parameters: ClientForm, context: InContext) -> Response:
    """End a token (RFC 7009)."""
    with context.transaction() as db:
        request = context.request(db, "POST", "/revoke", parameters)
        return context.server.answer("revocation", request).as_http()


@router.get("/jwks")
def jwks(context: InContext, response: Response) -> dict[str, Any]:
    """Publish the keys that verify our tokens (RFC 7517 §5)."""
    response.headers["Cache-Control"] = "public, max-age=60"
    return jwk_set(*context.server.tokens.keys.published())


@router.get("/.well-known/openid-configuration")
@router.get("/.well-known/oauth-authorization-server")
def discovery(context: InContext) -> dict[str, Any]:
    """Say what this server can do (OpenID Connect Discovery §4, RFC 8414 §3)."""
    return metadata(context.settings, context.server.clients)
