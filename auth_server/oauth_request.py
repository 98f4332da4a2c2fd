"""A request's parameters in the form that Authlib's grants read."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.requests import OAuth2Payload
from fastapi import Request
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from auth_server.audit import keep
from auth_server.clients import Client
from auth_server.oauth_errors import InvalidClient
from auth_server.registered_agents import known_names
from delegation.client_assertion import ASSERTION_TYPE
from delegation.problem import Problem
from delegation.record import Record
from delegation.token import AccessToken
from delegation.token_exchange import ACCESS_TOKEN_TYPE, GRANT_TYPE
from delegation.trace import current_trace_id

_MAX_BODY_BYTES: Final = 64 * 1024
_MAX_PARAMETERS = 64
_REPEATABLE = frozenset({"resource", "audience"})
_PLAIN = frozenset({"grant_type", "response_type", "client_id", "redirect_uri", "scope"})
_PLAIN_TEXT = re.compile(r"[\x20\x21\x23-\x5B\x5D-\x7E]*\Z")
"""What an error description may quote (RFC 6749 §5.2): Authlib's own descriptions quote these parameters."""
_FORM = "application/x-www-form-urlencoded"
_IDENTIFIERS = {quote(urn, safe=""): urn for urn in (GRANT_TYPE, ACCESS_TOKEN_TYPE, ASSERTION_TYPE)}
"""What every exchange has, by how it is encoded."""
_MALFORMED = "The parameters are malformed or too many."

Parameters = Sequence[tuple[str, str]]


class FormTooLong(Problem):
    """A body that is too long to be read."""


class _Payload(OAuth2Payload):
    def __init__(self, parameters: Parameters) -> None:
        self._datalist: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in parameters:
            self._datalist[name].append(value)
        self._data = {name: values[0] for name, values in self._datalist.items()}

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._datalist


class ServerRequest(OAuth2Request):
    """One request at the authorization server: its parameters, its transaction, its time.

    `principal` is the token that the request is about, once it has been verified: the record names it.
    """

    def __init__(
        self,
        method: str,
        uri: str,
        parameters: Parameters,
        db: Session | None,
        now: datetime,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(method, uri)
        self.payload: _Payload = _Payload(parameters)
        self.trace_id = trace_id or current_trace_id()
        self.client: Client | None = None
        self._db = db
        self.now = now
        self.principal: AccessToken | None = None

    @property
    def db(self) -> Session:
        """Return the request's transaction; an exchange has none of its own, but what it holds."""
        if self._db is None:
            raise RuntimeError("this request has no session")
        return self._db

    def keep(self, record: Record) -> None:
        """Keep a record with the request's transaction."""
        keep(self.db, record)

    def known_names(self) -> set[str]:
        """Return every agent's identifier, and every audience at which one may act."""
        return known_names(self.db)

    @property
    def form(self) -> dict[str, str]:
        """Return the parameters, each once."""
        return self.payload.data

    @property
    def known_client(self) -> Client:
        """Return the client: the one that authenticated, or that a sign-on is for.

        Raises:
            InvalidClient: there is none yet.
        """
        if self.client is None:
            raise InvalidClient("the client is not known")
        return self.client

    def all(self, name: str) -> list[str]:
        """Return every value of a repeatable parameter."""
        return list(self.payload.datalist.get(name, ()))


def parse_parameters(encoded: str) -> list[tuple[str, str]]:
    """Read URL-encoded parameters; those without a value count as left out (RFC 6749 §3.2).

    Raises:
        InvalidRequestError: malformed, too many, or one that may stand once stands twice.
        InvalidScopeError: `scope` has a character that no scope has (RFC 6749 §3.3).
    """
    if not encoded.isascii():
        raise InvalidRequestError("The parameters are not URL-encoded.")
    if encoded.count("&") >= _MAX_PARAMETERS:
        raise InvalidRequestError(_MALFORMED)
    try:
        pairs = [one.split("=", 1) for one in encoded.split("&") if "=" in one]
        parameters = [(_decoded(pair[0]), _decoded(pair[1])) for pair in pairs if pair[1]]
    except ValueError as error:
        raise InvalidRequestError(_MALFORMED) from error
    names = [name for name, _ in parameters if name not in _REPEATABLE]
    if len(names) != len(set(names)):
        raise InvalidRequestError("A parameter that may stand once stands twice.")
    for name, value in parameters:
        if "\0" in value or (name in _PLAIN and not _PLAIN_TEXT.match(value)):
            kind = InvalidScopeError if name == "scope" else InvalidRequestError
            raise kind("A parameter has a character that is not allowed.")
    return parameters


def _decoded(text: str) -> str:
    """Decode as `urllib.parse.parse_qsl` does, which takes three times as long where nothing is encoded."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    return _IDENTIFIERS.get(text) or unquote_to_bytes(text).decode()


def check_one_authentication(parameters: Parameters, authorization: Sequence[str]) -> None:
    """Check that a client does not authenticate in two ways; `authorization` is every such header's value.

    Raises:
        InvalidRequestError: it does (RFC 6749 §2.3).
    """
    ways = [name for name, _ in parameters if name in {"client_assertion", "client_secret"}]
    if len(ways) + len(authorization) > 1:
        raise InvalidRequestError("Authenticate in one way only: send client_assertion and nothing else.")


def query_string(request: Request) -> str:
    """Return the query as it was sent, which need not be as it ought to be."""
    encoded: bytes = request.scope["query_string"]
    return encoded.decode("latin-1")


def is_form(request: Request) -> bool:
    """Tell whether the request says that its body is a form."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == _FORM


async def form_parameters(request: Request) -> list[tuple[str, str]]:
    """Read the parameters of a form POST.

    Raises:
        InvalidRequestError: not a form, or not as `parse_parameters` wants it.
        FormTooLong: it is.
    """
    if not is_form(request):
        raise InvalidRequestError(f"Send the parameters as {_FORM}.")
    return parse_parameters((await read_body(request)).decode("latin-1"))


async def read_body(request: Request) -> bytes:
    """Read a request's body.

    Raises:
        InvalidRequestError: the caller hung up.
        FormTooLong: it is.
    """
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                raise FormTooLong(413, f"Send {_MAX_BODY_BYTES} bytes at most.")
    except ClientDisconnect as error:  # unhandled, it would fill the log with whoever hangs up
        raise InvalidRequestError("The request is not whole.") from error
    return body
