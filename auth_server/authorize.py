"""The authorization endpoint (RFC 6749 §3.1): asks for sign-on and consent where they are missing. Step 1."""

from datetime import timedelta
from urllib.parse import urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from fastapi import APIRouter, Request, Response

from auth_server.audit import record
from auth_server.authorization_code import AuthorizationCodeGrant
from auth_server.authorization_server import ServerResponse, reason
from auth_server.browser_session import current_session
from auth_server.consent_page import (
    agent_for_others,
    agent_to_consent_to,
    consent_page,
    not_for_you_page,
)
from auth_server.context import Context, Form, InContext
from auth_server.documented import AUTHORIZATION_FORM, AUTHORIZATION_REQUEST, PAGE
from auth_server.oauth_request import Parameters, ServerRequest, parse_parameters, query_string
from auth_server.pages import error_page, sign_on_page
from auth_server.tables import SignOnSession
from delegation.record import Decision

router = APIRouter(tags=["sign-on"])


@router.get("/authorize", name="authorize", responses=PAGE, openapi_extra=AUTHORIZATION_REQUEST)
def authorize(request: Request, context: InContext) -> Response:
    """Begin a sign-on: answers with a page, or with a redirect to the client."""
    return _answer(context, request, parse_parameters(query_string(request)))


@router.post("/authorize", name="authorize", responses=PAGE, openapi_extra=AUTHORIZATION_FORM)
def authorize_by_form(request: Request, form: Form, context: InContext) -> Response:
    """Begin a sign-on, with the parameters in a form (OpenID Connect Core §3.1.2.1)."""
    return _answer(context, request, form)


def _answer(context: Context, request: Request, parameters: Parameters) -> Response:
    with context.transaction() as db:
        oauth_request = context.request(db, "GET", "/authorize", parameters)
        session = current_session(db, request, context.settings, oauth_request.now)
        grant: AuthorizationCodeGrant | None = None
        try:
            grant = context.server.get_consent_grant(oauth_request, session)
            missing = _missing(oauth_request, session)
        except OAuth2Error as error:
            return refuse(context, request, error, oauth_request, grant)
        query = urlencode(parameters)
        if missing == "sign-on" or session is None:
            return sign_on_page(context, request, query, grant.redirect_uri)
        if missing == "another agent":
            return not_for_you_page(context, request, oauth_request, session, query)
        if missing == "consent":
            return consent_page(context, request, oauth_request, session, query)
        return finish(context, oauth_request, grant, session)


def _missing(request: ServerRequest, session: SignOnSession | None) -> str | None:
    """Say what must be asked of the customer first, or told; raise when the request forbids to ask."""
    prompts = _prompts(request)
    if session is None or must_sign_on_again(request, session):
        if "none" in prompts:
            raise LoginRequiredError
        return "sign-on"
    if agent_to_consent_to(request, session, ask_again="consent" in prompts):
        if "none" in prompts:
            raise ConsentRequiredError
        return "consent"
    if "none" not in prompts and agent_for_others(request, session.sub):
        return "another agent"
    return None


def must_sign_on_again(request: ServerRequest, session: SignOnSession) -> bool:
    """Tell whether the request wants a fresher sign-on than there is (OpenID Connect Core §3.1.2.1)."""
    max_age = request.payload.data.get("max_age")
    too_old = max_age is not None and request.now - session.signed_on_at > timedelta(seconds=int(max_age))
    return too_old or not _prompts(request).isdisjoint({"login", "select_account"})


def _prompts(request: ServerRequest) -> frozenset[str]:
    return frozenset(request.payload.data.get("prompt", "").split())


def finish(
    context: Context, oauth_request: ServerRequest, grant: AuthorizationCodeGrant, session: SignOnSession
) -> Response:
    """Answer the client with a code."""
    answer = context.server.create_authorization_response(oauth_request, grant_user=session, grant=grant)
    _record(oauth_request, "permit", "signed on, and asked where needed", sub=session.sub)
    return _with_issuer(context, answer).as_http()


def refuse(
    context: Context,
    request: Request,
    error: OAuth2Error,
    oauth_request: ServerRequest,
    grant: AuthorizationCodeGrant | None,
) -> Response:
    """Tell the client what is wrong, or the person when the client cannot be trusted with it.

    `grant` is there when the request was found good: then the error may go to the client.
    """
    if grant is not None:
        error.redirect_uri, error.state = grant.redirect_uri, oauth_request.payload.state
    _record(oauth_request, "deny", reason(error) if grant else str(error.error))
    answer = context.server.handle_response(*error())
    if answer.location is None:
        return error_page(context, request, 400, "This sign-on link does not work", _sentence(error))
    return _with_issuer(context, answer).as_http()


def _record(request: ServerRequest, decision: Decision, why: str, sub: str | None = None) -> None:
    client_id = request.client.client_id if request.client else None
    record(request.db, 1, decision, why, "authorize", sub=sub, client_id=client_id, time=request.now)


def _with_issuer(context: Context, answer: ServerResponse) -> ServerResponse:
    """Add `iss` (RFC 9207 §2); and let a POST be followed by a GET (RFC 9700 §4.12)."""
    if answer.location is not None:
        answer.location = add_params_to_uri(answer.location, {"iss": context.settings.issuer})
        answer.status = 303
    return answer


def _sentence(error: OAuth2Error) -> str:
    return f"The application sent a bad request ({error.error}: {error.get_error_description()})."
