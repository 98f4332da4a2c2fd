"""The app's two cookies. Cookies ignore ports, so their names are this service's own."""

from typing import Literal

from starlette.responses import Response

from banking_app.settings import Settings


class Cookies:
    """Sets and clears `banking_session` and `banking_sign_on`.

    Both are HttpOnly and SameSite=Lax: Lax, because the browser comes back from the authorization server by a
    link. Over https they are Secure and carry the `__Host-` prefix, so that no sibling host can set them.
    """

    def __init__(self, settings: Settings) -> None:
        self._secure = settings.served_over_https
        self._max_seconds = settings.session_max_seconds
        prefix = "__Host-" if self._secure else ""
        self.session = f"{prefix}banking_session"
        self.sign_on = f"{prefix}banking_sign_on"

    def set_session(self, response: Response, session_id: str) -> None:
        """Hand the browser its session id."""
        self._set(response, self.session, session_id, self._max_seconds)

    def set_sign_on(self, response: Response, browser: str, life_seconds: int) -> None:
        """Hand the browser what binds sign-on attempts to it."""
        self._set(response, self.sign_on, browser, life_seconds)

    def clear_session(self, response: Response) -> None:
        """Take the session id back."""
        self._set(response, self.session, "", 0)

    def _set(self, response: Response, name: str, value: str, life_seconds: int) -> None:
        lax: Literal["lax"] = "lax"
        response.set_cookie(
            name, value, max_age=life_seconds, path="/", secure=self._secure, httponly=True, samesite=lax
        )
