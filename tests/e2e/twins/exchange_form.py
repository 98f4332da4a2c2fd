"""Twins that take an exchange however it is sent (RFC 8693 §2.1)."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from urllib.parse import parse_qsl

from delegation.token_exchange import GRANT_TYPE
from tests.e2e.evidence import Fields
from tests.e2e.in_process import InProcess
from tests.e2e.twins.layer import Forward, Request, Response, layer
from tests.e2e.twins.twin import twin
from tests.e2e.verdict import Verdict

_PART = re.compile(rb'name="(?P<name>\w+)"\r\n\r\n(?P<value>.*?)\r\n--', re.DOTALL)


def _read_as(stack: InProcess, read: Callable[[Request], Fields]) -> AbstractContextManager[None]:
    """Take the parameters of token requests from wherever `read` finds some."""

    async def handle(request: Request, forward: Forward) -> Response:
        fields = read(request) if request.path == "/token" else ()
        return await forward(
            replace(request, method="POST", query="").with_fields(fields) if fields else request
        )

    return stack.auth_server.inside(layer(handle))


@twin("TX-01", "takes an exchange by GET")
def exchanges_by_get(stack: InProcess) -> AbstractContextManager[None]:
    """Read the query of a GET request."""
    return _read_as(stack, lambda request: parse_qsl(request.query) if request.method == "GET" else ())


@twin("TX-01", "takes the parameters of a POST from its address")
def reads_parameters_in_the_address(stack: InProcess) -> AbstractContextManager[None]:
    """Read the query of a POST request."""
    return _read_as(stack, lambda request: parse_qsl(request.query) if request.method == "POST" else ())


@twin("TX-01", "takes an exchange as JSON")
def exchanges_json(stack: InProcess) -> AbstractContextManager[None]:
    """Read a JSON object as if its members were parameters."""

    def read(request: Request) -> Fields:
        return list(json.loads(request.body).items()) if request.body.startswith(b"{") else ()

    return _read_as(stack, read)


@twin("TX-01", "takes an exchange as multipart/form-data")
def exchanges_multipart(stack: InProcess) -> AbstractContextManager[None]:
    """Read the parts as parameters."""

    def read(request: Request) -> Fields:
        return [(one["name"].decode(), one["value"].decode()) for one in _PART.finditer(request.body)]

    return _read_as(stack, read)


@twin(
    "TX-01",
    "compares the grant type in lower case, without white space and slashes around it",
    also={"AS-39": Verdict.FAIL},
)
def tidies_the_grant_type(stack: InProcess) -> AbstractContextManager[None]:
    """Tidy the grant type before it is compared."""

    def read(request: Request) -> Fields:
        tidy = request.form.get("grant_type", "").lower().strip(" /")
        return request.with_form(grant_type=GRANT_TYPE).fields if tidy == GRANT_TYPE else ()

    return _read_as(stack, read)


@twin("TX-01", "looks only at the end of the grant type", also={"AS-39": Verdict.FAIL})
def matches_the_end_of_the_grant_type(stack: InProcess) -> AbstractContextManager[None]:
    """Take whatever ends in token-exchange."""

    def read(request: Request) -> Fields:
        matches = request.form.get("grant_type", "").endswith("token-exchange")
        return request.with_form(grant_type=GRANT_TYPE).fields if matches else ()

    return _read_as(stack, read)
