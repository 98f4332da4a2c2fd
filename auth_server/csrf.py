"""Protection of the forms against requests that another site makes (double submit, signed)."""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

from fastapi import Request, Response

FIELD: Final = "csrf"
_KEY_BYTES: Final = 32


class CsrfProtection:
    """Each browser has a random cookie, each form the cookie's signature, which only this server can make."""

    def __init__(self, key_file: Path, *, secure: bool) -> None:
        self._key = _load_or_create(key_file)
        self._secure = secure
        self._cookie = "__Host-auth_csrf" if secure else "auth_csrf"

    def browser(self, request: Request) -> str:
        """Return the browser's cookie, or a new value for it."""
        return request.cookies.get(self._cookie) or secrets.token_urlsafe(32)

    def remember(self, response: Response, browser: str) -> None:
        """Set the cookie."""
        response.set_cookie(
            self._cookie, browser, httponly=True, secure=self._secure, samesite="strict", path="/"
        )

    def token(self, browser: str) -> str:
        """Return the form field's value for this browser."""
        return hmac.new(self._key, browser.encode(), hashlib.sha256).hexdigest()

    def is_own_form(self, request: Request, form: dict[str, str]) -> bool:
        """Tell whether a form was made by this server for this browser."""
        browser = request.cookies.get(self._cookie)
        sent = form.get(FIELD, "")
        return bool(browser) and hmac.compare_digest(self.token(browser or "").encode(), sent.encode())


def _load_or_create(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(_KEY_BYTES))
    return path.read_bytes()
