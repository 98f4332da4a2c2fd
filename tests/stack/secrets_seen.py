"""The secrets that the tests have held: none of them may stand in any record or log."""

import base64
import json
import re
from typing import Any

ENCODED_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+")
"""What any JWT looks like, whoever holds it."""


class Secret(str):
    """A token, code or password. Reports of failed tests show that it is one, and not its value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


class Token(Secret):
    """An encoded JWT."""

    __slots__ = ()

    @property
    def header(self) -> dict[str, Any]:
        """Return the JOSE header; nothing is verified."""
        return self._part(0)

    @property
    def claims(self) -> dict[str, Any]:
        """Return the claims; nothing is verified."""
        return self._part(1)

    def _part(self, index: int) -> dict[str, Any]:
        part = self.split(".")[index]
        decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        assert isinstance(decoded, dict)
        return decoded


class SecretsSeen(set[str]):
    """Every secret that a test has held."""

    def token(self, encoded: str) -> Token:
        """Note a token and return it as one."""
        self.add(encoded)
        return Token(encoded)

    def secret(self, value: str) -> Secret:
        """Note a secret that is no JWT: a code, a refresh token, a cookie."""
        self.add(value)
        return Secret(value)
