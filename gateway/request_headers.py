"""What of a request goes on to the resource, and what makes one that nothing of it may."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers

from delegation.bearer import InvalidRequest

# Everything else stops here: hop-by-hop fields, cookies, and every field by which a caller could claim to
# be somebody (RFC 9110 §7.6.1, RFC 9700 §4.13). All of these are end-to-end by their definition.
FORWARDED: Final = (
    "accept",
    "accept-language",
    "authorization",
    "content-length",
    "content-type",
    "idempotency-key",
    "user-agent",
)
ONCE: Final = ("host", "transfer-encoding", *(name for name in FORWARDED if not name.startswith("accept")))
_MAX_QUERY_BYTES: Final = 2048
_TEXT: Final = re.compile(r"[\t\x20-\x7E]*\Z")
_QUERY: Final = re.compile(rb"[\x21\x22\x24-\x7E]*\Z")


def ambiguity(headers: Headers, query: bytes) -> str | None:
    """Say what in a request two servers could read differently; None if nothing."""
    if not _QUERY.match(query):
        return "The query has a character that must be percent-encoded."
    for name in ONCE:
        if len(headers.getlist(name)) > 1:
            return f"The request has more than one {name} header."
    if "content-length" in headers and "transfer-encoding" in headers:
        return "The request has both a content-length and a transfer-encoding header."
    if headers.get("transfer-encoding", "chunked").lower() != "chunked" or "content-encoding" in headers:
        return "The body is compressed, and what it holds is known only to who unpacks it."
    if not set(FORWARDED).isdisjoint(_options(headers.getlist("connection"))):
        return "The connection header names a field that is not for this connection alone."
    if not all(_TEXT.match(value) for name in FORWARDED for value in headers.getlist(name)):
        return "A header has a character that is not printable ASCII."
    return None


def query_parameters(query: bytes) -> dict[str, list[str]]:
    """Read the query's parameters.

    Raises:
        InvalidRequest: it is long enough that reading it is work, which nobody gets done without a token.
    """
    if len(query) > _MAX_QUERY_BYTES:
        raise InvalidRequest(f"Send a query of at most {_MAX_QUERY_BYTES} bytes.")
    return parse_qs(query.decode("latin-1"), keep_blank_values=True)


def declared_length(headers: Headers) -> int:
    """Return the body's length in bytes as the request states it, 0 if it states none."""
    return int(headers.get("content-length", "0"))


def has_body(headers: Headers) -> bool:
    """Tell whether the request has a body (RFC 9112 §6)."""
    return "transfer-encoding" in headers or declared_length(headers) > 0


def forwarded(headers: Headers) -> list[tuple[str, str]]:
    """Return the fields that go on to the resource."""
    return [(name, value) for name in FORWARDED for value in headers.getlist(name)]


def _options(connection: Iterable[str]) -> set[str]:
    return {option.strip().lower() for value in connection for option in value.split(",")}
