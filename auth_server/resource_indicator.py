"""Resource indicators: which audience a token is for (RFC 8707)."""

from collections.abc import Collection
from urllib.parse import urlsplit

from auth_server.oauth_errors import InvalidTarget


def check_resource(resource: str) -> str:
    """Return the resource if it is an absolute URI without a fragment (RFC 8707 §2).

    Raises:
        InvalidTarget: it is not.
    """
    try:
        parts = urlsplit(resource)
    except ValueError as error:
        raise InvalidTarget("resource is not a URI") from error
    if not parts.scheme or "#" in resource:
        raise InvalidTarget("resource must be an absolute URI without a fragment")
    return resource


def one_resource(requested: Collection[str], allowed: Collection[str], default: str | None = None) -> str:
    """Return the one resource that a token is asked for.

    A token has exactly one audience (RFC 9700 §2.3), so the same resource may be named twice but no two.

    Raises:
        InvalidTarget: none is named and there is no default, several are, or it is not among those allowed.
    """
    resources = {check_resource(resource) for resource in requested} or ({default} if default else set())
    if len(resources) != 1:
        raise InvalidTarget("name exactly one resource; a token has one audience")
    resource = resources.pop()
    if resource not in allowed:
        raise InvalidTarget("this resource is not one that may be asked for here")
    return resource
