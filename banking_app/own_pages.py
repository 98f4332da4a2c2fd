"""The app's own pages, by path: the only places that a sign-on returns to."""

from enum import StrEnum
from urllib.parse import urlencode


class Page(StrEnum):
    """A page's path."""

    OVERVIEW = "/"
    ASSISTANT = "/assistant"
    ACTIVITY = "/activity"
    PERMISSIONS = "/permissions"
    CONSOLE = "/console"


def sign_on_address(public_url: str, page: Page, *, ask_consent: bool = False) -> str:
    """Return where to sign on and come back to `page`.

    It is absolute, because the cookies must be set under the name that the authorization server sends the
    browser back to, and a page can be open under another: 127.0.0.1 for localhost.
    """
    query = {"next": page.value} | ({"consent": "1"} if ask_consent else {})
    return f"{public_url}/login?{urlencode(query)}"


def own_page(wanted: str | None) -> Page:
    """Return the page of this path; the overview for anything that is not exactly one of our paths."""
    try:
        return Page(wanted or "")
    except ValueError:
        return Page.OVERVIEW
