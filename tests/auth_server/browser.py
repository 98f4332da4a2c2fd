"""A browser without JavaScript, for the sign-on and consent pages.

It keeps cookies, sends forms as they stand in the page, and follows redirects as long as they stay at the
authorization server.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2


@dataclass
class Form:
    """A form of a page: what it would send if a person changed nothing, and its buttons."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    choices: set[str] = field(default_factory=set)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.action).query)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: dict[str, str] | None = None
        self._caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "input" and given.get("type") == "checkbox":
            self.forms[-1].choices.add(given["name"])
            if "checked" in given:
                self.forms[-1].fields[given["name"]] = given.get("value", "on")
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            self._button = {given["name"]: given.get("value", "")} if "name" in given else {}
            self._caption = ""

    def handle_data(self, data: str) -> None:
        self._caption += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None:
            self.forms[-1].buttons[" ".join(self._caption.split())] = self._button


@dataclass(frozen=True)
class Page:
    """Where the browser has come to: a page, or a redirect that leads away from the authorization server."""

    response: httpx2.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def form(self) -> Form:
        parser = _Forms()
        parser.feed(self.text)
        [form] = parser.forms
        return form

    @property
    def leads_to(self) -> str:
        """The address, without its query, to which the browser is sent away."""
        return self.response.headers.get("location", "").partition("?")[0]

    @property
    def parameters(self) -> dict[str, str]:
        """The query parameters of that address, each of which must stand there once."""
        query = parse_qs(urlsplit(self.response.headers.get("location", "")).query, keep_blank_values=True)
        assert all(len(values) == 1 for values in query.values()), query
        return {name: value for name, [value] in query.items()}


class Browser:
    """One browser of one person."""

    def __init__(self, base_url: str, transport: httpx2.BaseTransport) -> None:
        self.http = httpx2.Client(base_url=base_url, transport=transport, timeout=20)

    def open(self, path: str, parameters: list[tuple[str, str]] | None = None) -> Page:
        return self._arrive(self.http.get(f"{path}?{urlencode(parameters)}" if parameters else path))

    def submit(self, page: Page, button: str | None = None, **changes: str | None) -> Page:
        """Send the page's form; a change to None leaves the field out, as unticking a box does."""
        form = page.form
        pressed = form.buttons[button] if button else {}
        fields = {
            name: value for name, value in (form.fields | pressed | changes).items() if value is not None
        }
        return self.post(form.action, fields)

    def post(self, path: str, fields: dict[str, str]) -> Page:
        return self._arrive(self.http.post(path, data=fields))

    def _arrive(self, response: httpx2.Response) -> Page:
        while response.headers.get("location", "").startswith("/"):
            response = self.http.get(response.headers["location"])
        return Page(response)
