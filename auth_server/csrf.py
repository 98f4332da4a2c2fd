"""Protection of the forms against requests that another site makes (double submit, signed)."""

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from delegation.secret_file import write_once

FIELD: Final = "csrf"
_KEY_BYTES: Final = 32
_BROWSER: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class ForeignForm(Exception):
    """A form that this server did not make for this browser, or for a sign-on that is over."""


class CsrfProtection:
    """Each browser has a random cookie, each form the cookie's signature, which only this server can make."""

    def __init__(self, key_file: Path, *, secure: bool) -> None:
        self._key = _load_or_create(key_file)
        self._secure = secure
        self._cookie = "__Host-auth_csrf" if secure else "auth_csrf"

    def browser(self, request: Request) -> str:
        """Return the browser's cookie, or a new value where it has none that we made."""
        return self._sent(request) or secrets.token_urlsafe(32)

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
        browser = self._sent(request)
        if browser is None:
            return False
        return hmac.compare_digest(self.token(browser).encode(), form.get(FIELD, "").encode())

    def _sent(self, request: Request) -> str | None:
        browser = request.cookies.get(self._cookie, "")
        return browser if _BROWSER.match(browser) else None


def _load_or_create(path: Path) -> bytes:
    if not path.exists():
        write_once(path, secrets.token_bytes(_KEY_BYTES))
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path} is damaged: remove it, and a new key is made")
    return key
