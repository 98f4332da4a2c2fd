"""The sign-on page's form: name and password. Step 1."""

from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth_server.audit import record
from auth_server.browser_session import begin_session, current_session, end_session, set_session_cookie
from auth_server.context import Context, Form, InContext
from auth_server.csrf import ForeignForm
from auth_server.documented import AUTHORIZATION_REQUEST, PAGE
from auth_server.documented import form as form_of
from auth_server.oauth_request import query_string
from auth_server.pages import sign_on_page
from auth_server.passwords import forget_failures, seconds_to_wait
from auth_server.people import find_person, hold_enabled
from delegation.record import Decision

router = APIRouter(tags=["sign-on"])
_MAX_USERNAME = 254
_MAX_PASSWORD = 1024


@router.get("/sign-on", responses=PAGE, openapi_extra=AUTHORIZATION_REQUEST)
def sign_on_again(request: Request) -> Response:
    """Lead whoever reloads the page back to the authorization request that it belongs to."""
    return RedirectResponse(f"/authorize?{query_string(request)}", 303)


@router.post(
    "/sign-on",
    name="sign_on",
    responses=PAGE,
    openapi_extra=AUTHORIZATION_REQUEST | form_of("csrf", "username", "password"),
)
def sign_on(request: Request, form: Form, context: InContext) -> Response:
    """Check the password, and go on with the authorization request in the query."""
    fields, query = dict(form), query_string(request)
    if not context.csrf.is_own_form(request, fields):
        raise ForeignForm
    username = fields.get("username", "").strip().lower()[:_MAX_USERNAME]
    wait = _count_try(context, username)
    if wait:
        message = f"There were too many wrong passwords. Wait {wait} s, then try again."
        response = sign_on_page(context, request, query, None, 429, message, username)
        response.headers["Retry-After"] = str(wait)
        return response
    cookie = _check(context, request, username, fields.get("password", "")[:_MAX_PASSWORD])
    if cookie is None:
        message = "This user name and password do not match. Check both, then try again."
        return sign_on_page(context, request, query, None, 403, message, username)
    response = RedirectResponse(f"/authorize?{_signed_on(query)}", 303)
    set_session_cookie(response, cookie, context.settings)
    return response


def _count_try(context: Context, username: str) -> int:
    """Return 0, or how many seconds to wait before the next try."""
    try:
        with context.transaction() as db:
            wait = seconds_to_wait(db, username, context.now())
            if wait:
                person = find_person(db, username)
                _record(context, db, "deny", "too many wrong passwords", person.sub if person else None)
            return wait
    except IntegrityError:  # two first tries at the same moment
        return 1


def _check(context: Context, request: Request, username: str, password: str) -> str | None:
    """Return the new session's cookie, or None; the browser's last session ends, nobody could sign out of it.

    The slow comparison runs outside of any transaction.
    """
    with context.transaction() as db:
        person = find_person(db, username)
    right = context.passwords.matches(person.password_hash if person else None, password)
    with context.transaction() as db:
        if person is None or not right:
            sub = person.sub if person else None
            _record(context, db, "deny", "user name and password do not match", sub)
            return None
        compared = person.password_hash
        held = hold_enabled(db, type(person), person.sub)
        if held is None or held.password_hash != compared:
            why = "this person is disabled" if held is None else "it has just been changed"
            _record(context, db, "deny", f"the password is right, but {why}", person.sub)
            return None
        forget_failures(db, username)
        _record(context, db, "permit", "the password is right", person.sub)
        last = current_session(db, request, context.settings, context.now())
        if last is not None:
            end_session(db, last, context.now(), "the browser is signed on anew")
        return begin_session(db, person.sub, context.settings, context.now())


def _record(context: Context, db: Session, decision: Decision, reason: str, sub: str | None) -> None:
    # A name that nobody has is not recorded: people type their password into the wrong field.
    record(db, 1, decision, reason, "sign_on", sub=sub, time=context.now())


def _signed_on(query: str) -> str:
    """Return the authorization request without the wish for a fresh sign-on, which has just been had."""
    parameters = parse_qsl(query, keep_blank_values=True)
    prompts = [p for name, value in parameters if name == "prompt" for p in value.split()]
    kept = [(name, value) for name, value in parameters if name not in {"prompt", "max_age"}]
    left = " ".join(p for p in prompts if p not in {"login", "select_account"})
    return urlencode([*kept, ("prompt", left)] if left else kept)
