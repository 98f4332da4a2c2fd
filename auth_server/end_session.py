"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0)."""

from collections.abc import Sequence

from authlib.oauth2 import OAuth2Error
from authlib.oidc.rpinitiated import EndSessionEndpoint as AuthlibEndSessionEndpoint
from authlib.oidc.rpinitiated.end_session import EndSessionRequest
from fastapi import APIRouter, Request, Response
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import select
from sqlalchemy.orm import Session

from auth_server.authorization_server import AuthorizationServer
from auth_server.browser_session import current_session, end_session, remove_session_cookie
from auth_server.context import Context, Form, InContext
from auth_server.documented import LOGOUT_FORM, LOGOUT_REQUEST, PAGE
from auth_server.oauth_request import Parameters, ServerRequest, parse_parameters, query_string
from auth_server.pages import page
from auth_server.tables import SignOnSession
from delegation.signing_key import ALGORITHM

router = APIRouter(tags=["sign-on"])


class EndSessionEndpoint(AuthlibEndSessionEndpoint):
    """Authlib's checks of a logout request; which session it ends is decided in `_answer`."""

    server: AuthorizationServer

    def get_server_jwks(self) -> KeySet:
        """Return the keys that signed our ID tokens."""
        return KeySet([ECKey.import_key(key.public_jwk) for key in self.server.tokens.keys.published()])

    def get_algorithms(self) -> list[str]:
        """Return the one algorithm."""
        return [ALGORITHM]


@router.get("/end-session", name="sign_out", responses=PAGE, openapi_extra=LOGOUT_REQUEST)
def end_session_by_link(request: Request, context: InContext) -> Response:
    """Sign the customer out; ask first, unless the app proves with an ID token that it may."""
    return _answer(context, request, parse_parameters(query_string(request)), confirmed=False)


@router.post("/end-session", name="sign_out", responses=PAGE, openapi_extra=LOGOUT_FORM)
def end_session_by_form(request: Request, form: Form, context: InContext) -> Response:
    """Sign the customer out, from an app's form or from our own question."""
    confirmed = context.csrf.is_own_form(request, dict(form))
    return _answer(context, request, form, confirmed=confirmed)


def _answer(context: Context, request: Request, parameters: Parameters, *, confirmed: bool) -> Response:
    with context.transaction() as db:
        oauth_request = context.request(db, "GET", "/end-session", parameters)
        logout = _validated(context, oauth_request, parameters)
        here = current_session(db, request, context.settings, oauth_request.now)
        sessions = [here] if here and confirmed else _named_by_hint(db, logout)
        if here is not None and here not in sessions:
            return page(context, request, "confirm_sign_out.html", customer=here.sub)
        for session in sessions:
            end_session(db, session, oauth_request.now)
        if logout.redirect_uri:
            response = context.server.handle_response(303, "", [("Location", logout.redirect_uri)]).as_http()
        else:
            response = page(context, request, "signed_out.html", back=context.settings.banking_app_url)
        remove_session_cookie(response, context.settings)
        return response


def _validated(context: Context, request: ServerRequest, parameters: Parameters) -> EndSessionRequest:
    """Read the logout request. A hint that cannot be verified, too old say, counts as none: then we ask."""
    try:
        return context.server.validate_endpoint_request("end_session", request)
    except (OAuth2Error, TypeError, ValueError):
        # A malformed JOSE header can be a TypeError in joserfc, and Authlib quotes it where it may not.
        without = [(name, value) for name, value in parameters if name != "id_token_hint"]
        again = context.request(request.db, "GET", "/end-session", without)
        return context.server.validate_endpoint_request("end_session", again)


def _named_by_hint(db: Session, logout: EndSessionRequest) -> Sequence[SignOnSession]:
    sid = (logout.id_token_claims or {}).get("sid")
    return db.scalars(select(SignOnSession).where(SignOnSession.sid == sid)).all() if sid else []
