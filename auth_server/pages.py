"""How a page is answered: its template, its security headers, its cookie against forged forms."""

from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from auth_server.authorization_server import NO_STORE
from auth_server.context import Context
from auth_server.demo_customers import DEMO_CUSTOMERS
from auth_server.demo_staff import DEMO_STAFF

_HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # The address carries the authorization request; no other site needs to see it.
    "Referrer-Policy": "no-referrer",
    **NO_STORE,
}


def page(
    context: Context,
    request: Request,
    template: str,
    status: int = 200,
    redirects_to: str | None = None,
    **values: Any,
) -> Response:
    """Render a page. `redirects_to` is where its form may lead in the end; browsers check that as well."""
    browser = context.csrf.browser(request)
    response = context.templates.TemplateResponse(
        request,
        template,
        values | {"csrf": context.csrf.token(browser)},
        status,
        _HEADERS | {"Content-Security-Policy": _content_security_policy(redirects_to)},
    )
    context.csrf.remember(response, browser)
    return response


def error_page(
    context: Context,
    request: Request,
    status: int,
    title: str,
    detail: str,
    retry: str = "",
    go_on: str = "Try again",
) -> Response:
    """Render an error that a person can act on; `retry` is an address of ours where they may `go_on`."""
    back = context.settings.banking_app_url
    values = {"title": title, "detail": detail, "retry": retry, "go_on": go_on, "back": back}
    return page(context, request, "error.html", status, **values)


def sign_on_page(
    context: Context,
    request: Request,
    query: str,
    redirects_to: str | None,
    status: int = 200,
    message: str = "",
    username: str = "",
) -> Response:
    """Render the sign-on page for the authorization request in `query`."""
    return page(
        context,
        request,
        "sign_on.html",
        status,
        # After the right password a redirect may lead straight on to the client.
        redirects_to or context.settings.banking_app_url,
        action=f"/sign-on?{query}",
        message=message,
        username=username,
        demo_customers=DEMO_CUSTOMERS if context.settings.demo_password else (),
        demo_staff=DEMO_STAFF if context.settings.demo_password else (),
        demo_password=context.settings.demo_password,
    )


def expired_form_page(context: Context, request: Request, query: str) -> Response:
    """Say that a form is too old, or was not made here, and lead back to its beginning."""
    retry = f"/authorize?{query}" if query else ""
    detail = "The page was open too long, or cookies are blocked. Nothing was changed."
    return error_page(context, request, 400, "Please try that again", detail, retry)


def _content_security_policy(redirects_to: str | None) -> str:
    form_action = "'self'"
    if redirects_to:
        parts = urlsplit(redirects_to)
        form_action += f" {parts.scheme}://{parts.netloc}"
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; form-action {form_action}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
