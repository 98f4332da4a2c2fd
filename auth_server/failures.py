"""One place where every error turns into its wire form."""

import logging
from collections.abc import Iterable

from authlib.oauth2 import OAuth2Error
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Mount, Route

from auth_server.authorization_server import NO_STORE
from auth_server.context import Context
from auth_server.oauth_errors import TemporarilyUnavailable
from auth_server.pages import error_page
from delegation.bearer import BearerError
from delegation.problem import Problem, answer_problem

_PAGES = frozenset({"/authorize", "/sign-on", "/consent", "/end-session"})
_CLIENT_ENDPOINTS = frozenset({"/token", "/introspect", "/revoke"})
_log = logging.getLogger(__name__)


def register_failures(app: FastAPI, context: Context, routes: Iterable[BaseRoute]) -> None:
    """Register the handlers: pages for people, RFC 6749 for clients, RFC 6750 and 9457 for own interfaces."""

    def oauth_error(request: Request, error: OAuth2Error) -> Response:
        if request.scope["path"] in _PAGES:
            return error_page(context, request, error.status_code, "That did not work", error.description)
        if request.scope["path"] in _CLIENT_ENDPOINTS:
            status, body, _ = error()
            return JSONResponse(body, status, NO_STORE)
        return Problem(error.status_code, error.description).response()

    def bearer_error(_request: Request, error: BearerError) -> Response:
        return Problem(
            error.status, error.description, headers={"WWW-Authenticate": error.challenge()}
        ).response()

    def invalid_parameter(_request: Request, error: RequestValidationError) -> Response:
        names = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
        return Problem(422, f"Malformed or missing: {names}.").response()

    def no_database(request: Request, error: SQLAlchemyError) -> Response:
        # What cannot be recorded may not be allowed. The driver's text may hold values: log its type.
        _log.error("the database failed: %s", type(error).__name__)
        return oauth_error(
            request, TemporarilyUnavailable("the database does not answer; try again in a moment")
        )

    def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
            return error_page(context, request, 404, "There is no such page", "Check the address.")
        headers = allowed(routes, request) if error.status_code == 405 else error.headers
        return Problem(error.status_code, str(error.detail), headers=headers).response()

    app.exception_handler(OAuth2Error)(oauth_error)
    app.exception_handler(BearerError)(bearer_error)
    app.exception_handler(RequestValidationError)(invalid_parameter)
    app.exception_handler(SQLAlchemyError)(no_database)
    app.exception_handler(HTTPException)(http_error)
    app.exception_handler(Problem)(answer_problem)


def allowed(routes: Iterable[BaseRoute], request: Request) -> dict[str, str]:
    """Return the Allow header with every method of this path (RFC 9110 §10.2.1).

    Starlette's own names those of the first route only, and a page and its form are two routes.
    """
    # Routing has changed the scope: below a mount, the path that is left is no longer the whole one.
    scope = {**request.scope, "root_path": request.scope.get("app_root_path", "")}
    methods: set[str] = set()
    for route in routes:
        if route.matches(scope)[0] != Match.NONE:
            match route:
                case Route():
                    methods |= route.methods or set()
                case Mount():  # it has no methods of its own; ours serves static files
                    methods |= {"GET", "HEAD"}
    return {"Allow": ", ".join(sorted(methods))}
