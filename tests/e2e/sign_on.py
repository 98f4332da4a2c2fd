"""A customer at sign-on and consent pages like ours: plain HTML forms, sent as without scripts."""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from tests.e2e.evidence import Fields
from tests.e2e.oauth_client import changed
from tests.e2e.verdict import UnsoundRun
from tests.e2e.wire import Answer, Wire

_MOST_PAGES: Final = 10


@dataclass
class Form:
    """A form: where it is sent, what it holds already, what can be ticked, which buttons have a name."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    password: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name, kind = attributes.get("name", ""), attributes.get("type", "text")
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif tag == "button" and name and self.forms:
            self.forms[-1].buttons.append((name, attributes.get("value", "")))
        elif tag == "input" and name and self.forms:
            if kind == "checkbox":
                self.forms[-1].boxes.append(name)
            else:
                self.forms[-1].fields[name] = attributes.get("value", "")
            if kind == "password":
                self.forms[-1].password = name


def only_form(page: Answer) -> Form:
    """Return the one form on a page.

    Raises:
        UnsoundRun: the page is an error, or has none or several.
    """
    reader = _Reader()
    reader.feed(page.text)
    if page.status != 200 or len(reader.forms) != 1:
        where = urlsplit(page.url).path
        raise UnsoundRun(
            f"sign-on failed: {where} answered {page.status} with {len(reader.forms)} forms, and not with one"
        )
    [form] = reader.forms
    form.action = urljoin(page.url, form.action)
    return form


class Browser:
    """Follows redirects by hand and keeps cookies, each for the origin that set it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._cookies: dict[tuple[str, str], str] = {}

    def get(self, url: str) -> Answer:
        """Open an address."""
        return self._keep(self._wire.get(url, self._cookie_header(url)))

    def submit(self, form: Form, **values: str) -> Answer:
        """Send a form with these values in it."""
        fields = list((form.fields | values).items())
        headers = [*self._cookie_header(form.action), ("Origin", _origin(form.action))]
        return self._keep(self._wire.post_form(form.action, fields, headers))

    def follow(self, answer: Answer, stop_at: str) -> Answer:
        """Follow redirects until one leads to `stop_at`, or until a page.

        Raises:
            UnsoundRun: there are more redirects than a sign-on takes.
        """
        for _ in range(_MOST_PAGES):
            target = redirect_target(answer)
            if not target or _without_query(target) == _without_query(stop_at):
                return answer
            answer = self.get(target)
        raise UnsoundRun(f"sign-on failed: {urlsplit(answer.url).path} redirects without end")

    def _cookie_header(self, url: str) -> list[tuple[str, str]]:
        pairs = [
            f"{name}={value}" for (origin, name), value in self._cookies.items() if origin == _origin(url)
        ]
        return [("Cookie", "; ".join(pairs))] if pairs else []

    def _keep(self, answer: Answer) -> Answer:
        for line in answer.headers.get_list("Set-Cookie"):
            name, _, value = line.split(";")[0].partition("=")
            self._cookies[_origin(answer.url), name.strip()] = value.strip()
        return answer


def redirect_target(answer: Answer) -> str:
    """Return where an answer redirects to; empty if it does not."""
    location: str = answer.headers.get("Location", "")
    return urljoin(answer.url, location) if 300 <= answer.status < 400 and location else ""


def response_parameters(redirect: Answer) -> dict[str, str]:
    """Return the parameters of an authorization response (RFC 6749 §4.1.2)."""
    return dict(parse_qsl(urlsplit(redirect_target(redirect)).query))


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """An authorization request with PKCE (RFC 7636), and the verifier that belongs to it."""

    parameters: tuple[tuple[str, str], ...]
    code_verifier: str

    @classmethod
    def make(
        cls, client_id: str, redirect_uri: str, scope: str, resources: Sequence[str]
    ) -> "AuthorizationRequest":
        """Make a right request, which asks for sign-on and consent whatever the browser has."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        fixed = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "prompt": "login consent",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return cls((*fixed.items(), *(("resource", one) for one in resources)), verifier)

    def changed(self, **changes: Any) -> "AuthorizationRequest":
        """Return the request with some parameters changed; None leaves one out."""
        return AuthorizationRequest(tuple(changed(self.parameters, **changes)), self.code_verifier)

    def url(self, endpoint: str) -> str:
        """Return the address that the browser is sent to."""
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(self.parameters)}"

    @property
    def redirect_uri(self) -> str:
        """Return where the request wants its response."""
        return dict(self.parameters).get("redirect_uri", "")


def sign_on(
    browser: Browser, url: str, redirect_uri: str, customer: str, password: str, allow: Fields | None = None
) -> Answer:
    """Fill in the sign-on page, then the consent page if there is one; return the redirect to the client.

    `allow` are the boxes to tick on the consent page; None ticks all.

    Raises:
        UnsoundRun: the pages are not as the driver knows them, or the password is wrong.
    """
    page = browser.follow(browser.get(url), redirect_uri)
    if redirect_target(page):
        error = response_parameters(page)
        said = f"{error.get('error', 'no sign-on page')} {error.get('error_description', '')}".rstrip()
        raise UnsoundRun(f"sign-on failed: the authorization request was answered with {said}")
    form = only_form(page)
    if not form.password:
        raise UnsoundRun(f"sign-on failed: {urlsplit(page.url).path} asks for no password")
    username = next((n for n in form.fields if n in {"username", "login", "email", "user"}), "username")
    page = browser.submit(form, **{username: customer, form.password: password})
    page = browser.follow(page, redirect_uri)
    if page.status in {401, 403, 429}:
        raise UnsoundRun(f"sign-on failed: {customer} was refused with {page.status}; is the password right?")
    if not redirect_target(page):
        consent = only_form(page)
        ticks = dict.fromkeys(consent.boxes, "on") if allow is None else dict(allow)
        page = browser.follow(browser.submit(consent, decision="allow", **ticks), redirect_uri)
    if not redirect_target(page):
        raise UnsoundRun(
            f"sign-on failed: {urlsplit(page.url).path} answered {page.status} after the consent"
        )
    return page


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_query(url: str) -> str:
    return urlsplit(url)._replace(query="", fragment="").geturl()
