"""Bearer tokens at a protected resource: how one arrives, and how it is refused (RFC 6750, RFC 9728 §5.1)."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from delegation.scope import Scope


class BearerError(Exception):
    """A request that its bearer token does not carry.

    `status` is the HTTP status, `error` the code of RFC 6750 §3.1, `description` what the caller can do.
    """

    status: ClassVar[int] = 401
    error: ClassVar[str | None] = None

    def __init__(self, description: str, scope: Scope | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.scope = scope

    def challenge(self, resource_metadata: str | None = None) -> str:
        """Return the `WWW-Authenticate` value; `resource_metadata` is its address (RFC 9728 §5.1)."""
        parameters = {
            "error": self.error,
            "error_description": self.description if self.error else None,
            "scope": str(self.scope) if self.scope else None,
            "resource_metadata": resource_metadata,
        }
        return "Bearer " + ", ".join(
            f'{name}="{_quotable(value)}"' for name, value in parameters.items() if value
        )


class MissingToken(BearerError):
    """No token at all: 401, and no error code, because nothing was wrong yet (RFC 6750 §3.1)."""


class InvalidToken(BearerError):
    """Malformed, expired, for another audience, of another issuer: 401 `invalid_token`."""

    error = "invalid_token"


class InvalidRequest(BearerError):
    """Two tokens, or a token where none may stand: 400 `invalid_request`."""

    status = 400
    error = "invalid_request"


class InsufficientScope(BearerError):
    """The token is good but too narrow: 403, naming every scope that the operation needs."""

    status = 403
    error = "insufficient_scope"


def bearer_token(authorization: Iterable[str], query: Mapping[str, object]) -> str:
    """Return the one bearer token of a request.

    Args:
        authorization: every `Authorization` field value of the request.
        query: the request's query parameters; a token there is refused (RFC 9700 §4.3.2).

    Raises:
        MissingToken: the request has no bearer token.
        InvalidRequest: it has two, or one in the query.
    """
    if "access_token" in query:
        raise InvalidRequest("Send the access token in the Authorization header, never in the address.")
    values = list(authorization)
    if not values:
        raise MissingToken("This resource needs an access token.")
    if len(values) > 1:
        raise InvalidRequest("Send one Authorization header.")
    scheme, _, token = values[0].partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token:
        raise MissingToken("This resource needs an access token of the Bearer scheme.")
    return token


def _quotable(value: str) -> str:
    return "".join(c for c in value if " " <= c <= "~" and c not in '"\\')
