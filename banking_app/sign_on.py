"""Signing on: `/login` sends the browser out, `/callback` takes it back (OpenID Connect Core §3.1)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from banking_app.audit import Audit
from banking_app.cookies import Cookies
from banking_app.database import new_secret
from banking_app.id_token import InvalidIdToken
from banking_app.notices import Notices
from banking_app.openid_client import OpenIdClient
from banking_app.openid_client import SignOn as VerifiedSignOn
from banking_app.own_pages import own_page, sign_on_address
from banking_app.session_store import Session, SessionStore
from banking_app.settings import Settings
from banking_app.sign_on_attempts import LIFE, Attempt, SignOnAttempts, UnknownAttempt
from banking_app.sign_out import SignOut
from delegation.clock import Clock
from delegation.oauth_error import OAuthError


class SignOnFailed(Exception):
    """No sign-on that can be relied on. `detail` is for the customer, `hint` for the trainer."""

    def __init__(self, reason: str, detail: str, hint: str, next_page: str = "/", status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.hint = hint
        self.next_page = next_page
        self.status = status


@dataclass(frozen=True)
class SignOn:
    """The two endpoints. They run in Starlette's thread pool, because all they call is synchronous."""

    settings: Settings
    client: OpenIdClient
    attempts: SignOnAttempts
    sessions: SessionStore
    cookies: Cookies
    notices: Notices
    audit: Audit
    sign_out: SignOut
    clock: Clock

    def routes(self) -> list[Route]:
        """Return the routes of this file."""
        return [Route("/login", self.login), Route("/callback", self.callback)]

    def login(self, request: Request) -> Response:
        """Begin a sign-on. `next` is a page of ours; `consent=1` asks about the assistant anew."""
        browser = request.cookies.get(self.cookies.sign_on) or new_secret()
        attempt = self.attempts.begin(browser, own_page(request.query_params.get("next")))
        ask_consent = request.query_params.get("consent") == "1"
        response = RedirectResponse(self.client.authorization_url(attempt, ask_consent=ask_consent), 303)
        self.cookies.set_sign_on(response, browser, int(LIFE.total_seconds()))
        return response

    def callback(self, request: Request) -> Response:
        """End a sign-on: check where the answer comes from, redeem the code, start a session."""
        try:
            attempt = self._attempt(request)
            signed_on = self._signed_on(request, attempt)
        except SignOnFailed as failed:
            return self._say(failed)
        self.sign_out.drop(request.cookies.get(self.cookies.session, ""), "replaced by a new sign-on")
        response = RedirectResponse(attempt.next_page, 303)
        self.cookies.set_session(response, self.sessions.create(self._session(signed_on)))
        self.audit.sign_on("permit", "signed on", signed_on.claims["sub"])
        return response

    def _attempt(self, request: Request) -> Attempt:
        """Return the attempt that this answer belongs to, checking `state` and `iss` (RFC 9207 §2.4)."""
        browser = request.cookies.get(self.cookies.sign_on)
        try:
            attempt = self.attempts.take(browser or "", request.query_params.get("state", ""))
        except UnknownAttempt:
            raise SignOnFailed(
                "state is unknown, expired or already used",
                "This sign-on was already used, has taken longer than ten minutes, or was begun in another "
                "browser. Your account is safe.",
                "Each state works once, and only in the browser that began. Reloading cannot work.",
            ) from None
        if request.query_params.get("iss") != self.settings.issuer:
            raise SignOnFailed(
                "iss is not the expected issuer",
                "The answer did not come from our sign-on service, so we did not use it.",
                "The authorization response must carry iss (RFC 9207), equal to the setting ISSUER.",
                attempt.next_page,
            )
        return attempt

    def _signed_on(self, request: Request, attempt: Attempt) -> VerifiedSignOn:
        if "error" in request.query_params or not request.query_params.get("code"):
            raise SignOnFailed(
                "the authorization server returned an error",
                "The sign-on was cancelled or could not be completed.",
                "The authorization server sent an error in place of a code: see its log for this time.",
                attempt.next_page,
            )
        try:
            return self.client.redeem(request.query_params["code"], attempt)
        except InvalidIdToken as error:
            raise SignOnFailed(
                str(error),
                "The sign-on service's answer could not be verified, so we did not use it.",
                f"{error}. Compare ISSUER, JWKS_URI and CLIENT_ID of both services, and their clocks.",
                attempt.next_page,
                502,
            ) from None
        except OAuthError as error:
            raise _not_redeemed(error, attempt) from None

    def _session(self, signed_on: VerifiedSignOn) -> Session:
        claims = signed_on.claims
        return Session(
            sub=claims["sub"],
            name=str(claims.get("name") or claims["sub"]),
            signed_on_at=self.clock(),
            id_token=signed_on.id_token,
            id_token_claims=claims,
            refresh_token=signed_on.refresh_token,
            tokens={self.settings.issuer: signed_on.token},
        )

    def _say(self, failed: SignOnFailed) -> Response:
        self.audit.sign_on("deny", failed.reason)
        again = sign_on_address(self.settings.public_url, own_page(failed.next_page))
        return self.notices.failure(
            failed.status,
            "You are not signed on yet" if failed.status != 503 else "Sign-on is not available right now",
            failed.detail,
            failed.hint,
            {"Sign on again": again, "Back to the start": "/"},
        )


def _not_redeemed(error: OAuthError, attempt: Attempt) -> SignOnFailed:
    if error.error == "temporarily_unavailable":
        return SignOnFailed(
            "the authorization server gave no usable answer",
            "The sign-on service does not answer. Please try again in a moment.",
            "The token endpoint or the JWKS cannot be reached: see TOKEN_ENDPOINT, JWKS_URI, and whether the "
            "authorization server is ready.",
            attempt.next_page,
            503,
        )
    return SignOnFailed(
        f"the token endpoint answered {error.error}",
        "The sign-on could not be completed. Please start again.",
        f"The token endpoint answered {error.error}. For invalid_client: does the authorization server reach "
        "this app's /jwks.json?",
        attempt.next_page,
        502,
    )
