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

from auth_server.audit import entry, keep
from auth_server.authorization_server import NO_STORE, reason
from auth_server.context import Context
from auth_server.csrf import ForeignForm
from auth_server.oauth_errors import TemporarilyUnavailable
from auth_server.oauth_request import FormTooLong, query_string
from auth_server.pages import error_page, expired_form_page
from auth_server.problems import Refused
from delegation.bearer import BearerError
from delegation.problem import Problem, answer_problem
from delegation.record import Record, of_token, print_record
from delegation.token import AccessToken

_PAGES = frozenset({"/authorize", "/sign-on", "/consent", "/end-session"})
_CLIENT_ENDPOINTS = frozenset({"/token", "/introspect", "/revoke"})
_log = logging.getLogger(__name__)


def register_failures(app: FastAPI, context: Context, routes: Iterable[BaseRoute]) -> None:
    """Register the handlers: pages for people, RFC 6749 for clients, RFC 6750 and 9457 for own interfaces.

    What is refused here was refused before anything else could record it.
    """

    def refusal(request: Request, why: str) -> Record:
        token: AccessToken | None = getattr(request.state, "token", None)
        operation: str = request.scope["route"].name
        step = 4 if request.scope["path"] == "/token" else 1
        return entry(step, "deny", why, operation, time=context.now(), **of_token(token))

    def record_refusal(request: Request, why: str) -> None:
        denied = refusal(request, why)
        try:
            with context.transaction() as db:
                keep(db, denied)
        except SQLAlchemyError as error:  # then its line must do, and it is refused all the same
            _log.error("the database failed: %s", type(error).__name__)
            print_record(denied)

    def oauth_error(request: Request, error: OAuth2Error) -> Response:
        record_refusal(request, reason(error))
        return oauth_answer(request, error)

    def oauth_answer(request: Request, error: OAuth2Error) -> Response:
        if request.scope["path"] in _PAGES:
            return error_page(context, request, error.status_code, "That did not work", error.description)
        if request.scope["path"] in _CLIENT_ENDPOINTS:
            status, body, _ = error()
            return JSONResponse(body, status, NO_STORE)
        return Problem(error.status_code, error.description).response()

    def foreign_form(request: Request, _error: ForeignForm) -> Response:
        record_refusal(request, "the form is too old, or was not made here for this browser")
        return expired_form_page(context, request, query_string(request))

    def form_too_long(request: Request, error: FormTooLong) -> Response:
        record_refusal(request, "the body is too long")
        return error.response()

    def refused(request: Request, error: Refused) -> Response:
        record_refusal(request, error.reason)
        return error.response()

    def bearer_error(request: Request, error: BearerError) -> Response:
        record_refusal(request, error.description)
        return Problem(
            error.status, error.description, headers={"WWW-Authenticate": error.challenge()}
        ).response()

    def invalid_parameter(request: Request, error: RequestValidationError) -> Response:
        names = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
        record_refusal(request, f"malformed or missing: {names}")
        return Problem(422, f"Malformed or missing: {names}.").response()

    def no_database(request: Request, error: SQLAlchemyError) -> Response:
        # What cannot be recorded may not be allowed. The driver's text may hold values: log its type.
        _log.error("the database failed: %s", type(error).__name__)
        print_record(refusal(request, "the database does not answer"))
        return oauth_answer(
            request, TemporarilyUnavailable("the database does not answer; try again in a moment")
        )

    def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
            return error_page(context, request, 404, "There is no such page", "Check the address.")
        headers = allowed(routes, request) if error.status_code == 405 else error.headers
        return Problem(error.status_code, str(error.detail), headers=headers).response()

    app.exception_handler(OAuth2Error)(oauth_error)
    app.exception_handler(ForeignForm)(foreign_form)
    app.exception_handler(FormTooLong)(form_too_long)
    app.exception_handler(Refused)(refused)
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
