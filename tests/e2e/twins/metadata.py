"""Twins that say wrongly who they are (RFC 8414 §3.3, RFC 9207 §2)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.e2e.in_process import InProcess
from tests.e2e.oauth_client import changed
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin

_WELL_KNOWN: Final = "/.well-known/"
_OAUTH: Final = f"{_WELL_KNOWN}oauth-authorization-server"


@twin("AS-48", "has a slash at the end of the metadata's issuer")
def ends_its_issuer_with_a_slash(stack: InProcess) -> AbstractContextManager[None]:
    """Name an issuer that no token has."""
    return _described(stack, _WELL_KNOWN, lambda answer: answer.with_json(issuer=f"{answer.json['issuer']}/"))


@twin("AS-48", "has another server's metadata under one of the two addresses")
def has_two_issuers(stack: InProcess) -> AbstractContextManager[None]:
    """Let the proxy before it answer for someone else."""
    another = "https://authorization-server.example.net"
    return _described(stack, _OAUTH, lambda answer: answer.with_json(issuer=another))


@twin("AS-48", "has metadata without an issuer")
def has_no_issuer(stack: InProcess) -> AbstractContextManager[None]:
    """Leave it out."""
    return _described(stack, _WELL_KNOWN, lambda answer: answer.with_json(issuer=None))


@twin("AS-48", "sends no iss with a code, though it says that it does")
def sends_no_iss(stack: InProcess) -> AbstractContextManager[None]:
    """Leave it out of the authorization response."""
    return _answering(stack, "code", None)


@twin("AS-48", "sends another server's iss with a code")
def sends_another_iss(stack: InProcess) -> AbstractContextManager[None]:
    """Name whom the client did not ask."""
    return _answering(stack, "code", "https://authorization-server.example.net")


@twin("AS-48", "sends no iss with an error")
def sends_no_iss_with_an_error(stack: InProcess) -> AbstractContextManager[None]:
    """Leave it out of the error response."""
    return _answering(stack, "error", None)


def _described(
    stack: InProcess, path: str, change: Callable[[Response], Response]
) -> AbstractContextManager[None]:
    """Change the metadata under addresses that begin like this."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        return change(answer) if request.path.startswith(path) else answer

    return stack.auth_server.inside(layer(handle))


def _answering(stack: InProcess, with_parameter: str, iss: str | None) -> AbstractContextManager[None]:
    """Change iss of authorization responses that have this parameter."""

    async def handle(request: Request, forward: Forward) -> Response:
        answer = await forward(request)
        led = urlsplit(dict(answer.headers).get("location", ""))
        parameters = parse_qsl(led.query)
        if with_parameter not in dict(parameters):
            return answer
        query = urlencode(changed(parameters, iss=iss))
        return answer.with_headers(location=led._replace(query=query).geturl())

    return stack.auth_server.inside(layer(handle))
