"""What of a request goes on to the resource, and what makes one that nothing of it may."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Scope

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
_ONCE: Final = ("host", "transfer-encoding", *(name for name in FORWARDED if not name.startswith("accept")))
_FORWARDED: Final = frozenset(FORWARDED)
_MAX_QUERY_BYTES: Final = 2048
_TEXT: Final = re.compile(r"[\t\x20-\x7E]*\Z")
_READ: Final = "gateway.request_headers"
_QUERY: Final = re.compile(rb"[\x21\x22\x24-\x7E]*\Z")


class RequestHeaders(Mapping[str, str]):
    """The header fields of one request, sorted by name once; Starlette's looks through all each time.

    A mapping of name, in lower case, to the first value.
    """

    def __init__(self, scope: Scope) -> None:
        self.read_from = scope["headers"]
        self.fields: dict[str, list[str]] = {}
        for name, value in self.read_from:
            self.fields.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    @property
    def has_repeated(self) -> bool:
        """Tell whether any field is there more than once."""
        return len(self.fields) != len(self.read_from)

    def getlist(self, key: str) -> list[str]:
        """Return every value of a field."""
        return self.fields.get(key, [])

    def __getitem__(self, key: str) -> str:
        return self.fields[key][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, key: object) -> bool:
        return key in self.fields


def headers_of(scope: Scope) -> RequestHeaders:
    """Return a request's header fields, read at the first time."""
    found: RequestHeaders | None = scope.get(_READ)
    if found is None or found.read_from is not scope["headers"]:  # a copied scope may have other fields
        found = scope[_READ] = RequestHeaders(scope)
    return found


def ambiguity(headers: RequestHeaders, query: bytes) -> str | None:
    """Say what in a request two servers could read differently; None if nothing."""
    if query and not _QUERY.match(query):
        return "The query has a character that must be percent-encoded."
    fields = headers.fields
    if headers.has_repeated:
        for name, values in fields.items():
            if len(values) > 1 and name in _ONCE:
                return f"The request has more than one {name} header."
    if "transfer-encoding" in fields and "content-length" in fields:
        return "The request has both a content-length and a transfer-encoding header."
    codings = fields.get("transfer-encoding")
    if "content-encoding" in fields or (codings and codings[0].lower() != "chunked"):
        return "The body is compressed, and what it holds is known only to who unpacks it."
    if "connection" in fields and not _options(fields["connection"]).isdisjoint(FORWARDED):
        return "The connection header names a field that is not for this connection alone."
    for name, values in fields.items():
        if name in _FORWARDED and not _TEXT.match("".join(values)):
            return "A header has a character that is not printable ASCII."
    return None


def query_parameters(query: bytes) -> dict[str, list[str]]:
    """Read the query's parameters.

    Raises:
        InvalidRequest: it is long enough that reading it is work, which nobody gets done without a token.
    """
    if not query:
        return {}
    if len(query) > _MAX_QUERY_BYTES:
        raise InvalidRequest(f"Send a query of at most {_MAX_QUERY_BYTES} bytes.")
    return parse_qs(query.decode("latin-1"), keep_blank_values=True)


def declared_length(headers: RequestHeaders) -> int:
    """Return the body's length in bytes as the request states it, 0 if it states none."""
    return int(headers.fields["content-length"][0]) if "content-length" in headers.fields else 0


def has_body(headers: RequestHeaders) -> bool:
    """Tell whether the request has a body (RFC 9112 §6)."""
    return "transfer-encoding" in headers.fields or declared_length(headers) > 0


def forwarded(headers: RequestHeaders) -> list[tuple[str, str]]:
    """Return the fields that go on to the resource."""
    fields = headers.fields
    return [(name, value) for name, values in fields.items() if name in _FORWARDED for value in values]


def _options(connection: Iterable[str]) -> set[str]:
    return {option.strip().lower() for value in connection for option in value.split(",")}
