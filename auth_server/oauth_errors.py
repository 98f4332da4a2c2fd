"""Errors of the authorization server that Authlib has no class for, or has another idea of."""

from typing import ClassVar

from authlib.oauth2 import OAuth2Error


class InvalidTarget(OAuth2Error):
    """The resource is unknown, malformed, or not this client's to ask for (RFC 8707 §2, RFC 8693 §2.2.2)."""

    error: ClassVar[str] = "invalid_target"


class InvalidAuthorizationDetails(OAuth2Error):
    """A client asks for `authorization_details` (RFC 9396 §5): here the registry sets them, nobody else."""

    error: ClassVar[str] = "invalid_authorization_details"
    description = "leave authorization_details out: the agent registry sets them"


class InvalidClient(OAuth2Error):
    """Client authentication failed (RFC 6749 §5.2). Authlib's class would offer Basic, which nobody has."""

    error: ClassVar[str] = "invalid_client"
    status_code: ClassVar[int] = 401


class TemporarilyUnavailable(OAuth2Error):
    """The server cannot decide now (RFC 6749 §4.1.2.1): its database is locked, say."""

    error: ClassVar[str] = "temporarily_unavailable"
    status_code: ClassVar[int] = 503


class UnauthorizedRevocation(OAuth2Error):
    """The token is another client's, and stays as it is (RFC 7009 §2.1)."""

    error: ClassVar[str] = "unauthorized_client"
