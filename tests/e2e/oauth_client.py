"""A client of the authorization server under test: how it authenticates (RFC 6749 §2.3, RFC 7523 §2.2)."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from delegation.client_assertion import ASSERTION_TYPE
from tests.e2e.evidence import Fields
from tests.e2e.jws import KeyPair
from tests.e2e.minting import complete


@dataclass(frozen=True)
class OAuthClient:
    """A client. It has a key for assertions to `audience`, one or several, or a secret."""

    client_id: str
    method: str
    audience: str | tuple[str, ...]
    key: KeyPair | None = None
    secret: str = ""
    assertion: Callable[[], str] | None = None
    """Makes the assertion in place of the right one, for checks that send a wrong one."""

    def credentials(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the parameters and the headers that authenticate the client once."""
        if self.method == "client_secret_basic":
            pair = f"{quote(self.client_id, safe='')}:{quote(self.secret, safe='')}"
            return [], [("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")]
        if self.method == "client_secret_post":
            return [("client_id", self.client_id), ("client_secret", self.secret)], []
        return [
            ("client_id", self.client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", (self.assertion or self.signed_assertion)()),
        ], []

    def signed_assertion(self) -> str:
        """Return a right assertion, good once."""
        return self.assertion_with()

    def assertion_with(self, **changes: Any) -> str:
        """Return an assertion with some claims changed; None leaves one out."""
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "exp": int(time.time()) + 60,
        }
        return self.sign(complete(claims | changes))

    def with_assertion(self, make: Callable[[], str]) -> "OAuthClient":
        """Return the client with other assertions than the right ones."""
        return replace(self, assertion=make)

    def sign(self, claims: dict[str, Any], typ: str = "JWT") -> str:
        """Sign any claims with the client's key."""
        assert self.key is not None
        return self.key.sign({"typ": typ}, claims)


def changed(form: Fields, **changes: str | list[str] | None) -> list[tuple[str, str]]:
    """Return a form with some parameters replaced; None leaves one out, a list repeats it."""
    kept = [(name, value) for name, value in form if name not in changes]
    for name, value in changes.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        kept += [(name, one) for one in values]
    return kept
