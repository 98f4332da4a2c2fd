"""HTML forms as a browser without JavaScript fills them in and sends them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2


@dataclass
class Form:
    """A form: where it is sent, what it holds already, and what can be ticked."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: set[str] = field(default_factory=set)

    def send(self, http: httpx2.Client, **values: str) -> httpx2.Response:
        """Send the form with these values in it; redirects are not followed."""
        return http.post(self.action, data=self.fields | values)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        name = attributes.get("name", "")
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif tag == "input" and name and self.forms:
            if attributes.get("type") == "checkbox":
                self.forms[-1].choices.add(name)
            else:
                self.forms[-1].fields[name] = attributes.get("value", "")


def only_form(page: httpx2.Response) -> Form:
    """Return the one form on a page.

    Raises:
        AssertionError: the page is an error, or has none or several.
    """
    assert page.status_code == 200, f"{page.request.url.path} answered {page.status_code}"
    reader = _Reader()
    reader.feed(page.text)
    assert len(reader.forms) == 1, f"{page.request.url.path} shows {len(reader.forms)} forms, not one"
    [form] = reader.forms
    form.action = urljoin(str(page.request.url), form.action)
    return form
