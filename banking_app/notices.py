"""The few HTML pages that are not Streamlit's: what went wrong at sign-on, and the way on."""

from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from banking_app.rendering import render
from banking_app.settings import Settings


class Notices:
    """Renders notices under a policy that allows no script at all."""

    def __init__(self, settings: Settings) -> None:
        # Browsers apply form-action to the redirect that answers a form, and sign-out answers with one.
        end_session = urlsplit(settings.end_session_endpoint)
        self._policy = (
            "default-src 'none'; style-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {end_session.scheme}://{end_session.netloc}"
        )

    def failure(
        self, status: int, title: str, detail: str, hint: str, ways_on: dict[str, str]
    ) -> HTMLResponse:
        """Say what went wrong; `ways_on` are labels to addresses, the first one the best."""
        return self._page(
            "failure.html", status, {"title": title, "detail": detail, "hint": hint, "ways_on": ways_on}
        )

    def confirm_sign_out(self, name: str, csrf_token: str) -> HTMLResponse:
        """Ask whether the customer wants to leave: the link did not prove that it came from our page."""
        return self._page("sign_out.html", 200, {"name": name, "csrf_token": csrf_token})

    def _page(self, template: str, status: int, values: dict[str, object]) -> HTMLResponse:
        return HTMLResponse(
            render(template, **values), status, headers={"Content-Security-Policy": self._policy}
        )
