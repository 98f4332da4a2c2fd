"""Where an authorization request leads in the end, whatever is wrong with it."""

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from tests.e2e.sign_on import AuthorizationRequest, Browser, only_form, redirect_target
from tests.e2e.target import Target
from tests.e2e.verdict import Failed, UnsoundRun
from tests.e2e.wire import Answer

_MOST_REDIRECTS: Final = 10


class _WaryBrowser(Browser):
    """Follows no redirect that is an authorization response, wherever it leads: nobody need be there."""

    def follow(self, answer: Answer, stop_at: str) -> Answer:
        for _ in range(_MOST_REDIRECTS):
            led = redirect_target(answer)
            if not led or leads_to(led, stop_at) or yields_code(led) or "error" in _query(led):
                return answer
            answer = self.get(led)
        return answer


def led_to(target: Target, request: AuthorizationRequest) -> str:
    """Return the redirect that a request ends with, if need be after sign-on; empty if it ends at a page.

    Raises:
        Failed: the server breaks down over it.
    """
    server, browser = target.authorization_server, _WaryBrowser(target.wire)
    page = browser.follow(
        browser.get(request.url(server.endpoint("authorization_endpoint"))), request.redirect_uri
    )
    if page.status >= 500:
        raise Failed("an authorization request to be answered", str(page))
    if redirect_target(page) or not _asks_for_a_password(page):
        return redirect_target(page)
    try:
        return redirect_target(server.app.send_authorization_request(_WaryBrowser(target.wire), request))
    except UnsoundRun:
        return ""


def leads_to(led: str, uri: str) -> bool:
    """Tell whether a redirect leads to this URI, with or without parameters added to it."""
    where, wanted = unquote(led), unquote(uri)
    return where == wanted or where.startswith((f"{wanted}?", f"{wanted}&", f"{wanted}#"))


def yields_code(led: str) -> bool:
    """Tell whether a redirect carries an authorization code."""
    return "code" in _query(led)


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def _asks_for_a_password(page: Answer) -> bool:
    try:
        return bool(only_form(page).password)
    except UnsoundRun:
        return False
