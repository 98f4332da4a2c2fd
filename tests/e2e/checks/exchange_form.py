"""How an exchange request is sent: method, media type, grant type (RFC 8693 §2.1)."""

import json
from typing import Final
from urllib.parse import urlencode

from delegation.token_exchange import GRANT_TYPE
from tests.e2e.check import check
from tests.e2e.evidence import Fields
from tests.e2e.target import Target
from tests.e2e.verdict import Failed
from tests.e2e.wire import Answer

_BOUNDARY: Final = "conformance-suite-boundary"
_FORM: Final = "application/x-www-form-urlencoded"
OTHER_GRANT_TYPES: Final = {
    "in other case": f"{GRANT_TYPE.removesuffix('token-exchange')}Token-Exchange",
    "with a slash at its end": f"{GRANT_TYPE}/",
    "with a space before it": f" {GRANT_TYPE}",
    "with a space after it": f"{GRANT_TYPE} ",
    "without its URN prefix": "token-exchange",
}


@check("TX-01")
def only_a_form_with_the_exact_grant_type(target: Target) -> None:
    """Send the legitimate exchange in other ways; then as a form, with grant types that are almost right.

    Which error it is refused with is left open: the text names none. To a wrong method or media type the
    server may answer what it likes, as long as it issues nothing and does not break down.
    """
    _yields_nothing(_in_the_address(target, "GET"), "an exchange by GET")
    _yields_nothing(_in_the_address(target, "POST"), "an exchange with its parameters in the address")
    _yields_nothing(_as_json(target), "an exchange as JSON")
    _yields_nothing(_as_multipart(target), "an exchange as multipart/form-data")
    for what, grant_type in OTHER_GRANT_TYPES.items():
        answer = target.authorization_server.exchange(grant_type=grant_type)
        target.expect.refused(answer, f"the grant type {what}")


def _yields_nothing(answer: Answer, what: str) -> None:
    if "access_token" in answer.json() or answer.status in {500, 502, 503, 504}:
        raise Failed(f"{what} to yield nothing", str(answer))


def _parts(target: Target) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    server = target.authorization_server
    parameters, headers = server.agent.credentials()
    return [*server.exchange_form(), *parameters], headers


def _send(target: Target, headers: Fields, media_type: str, body: str) -> Answer:
    url = target.authorization_server.endpoint("token_endpoint")
    return target.wire.send("POST", url, [*headers, ("Content-Type", media_type)], body.encode())


def _in_the_address(target: Target, method: str) -> Answer:
    form, headers = _parts(target)
    url = target.authorization_server.endpoint("token_endpoint")
    url = f"{url}{'&' if '?' in url else '?'}{urlencode(form)}"
    if method == "GET":
        return target.wire.get(url, headers)
    return target.wire.send(method, url, [*headers, ("Content-Type", _FORM)], b"")


def _as_json(target: Target) -> Answer:
    form, headers = _parts(target)
    return _send(target, headers, "application/json", json.dumps(dict(form)))


def _as_multipart(target: Target) -> Answer:
    form, headers = _parts(target)
    lines = []
    for name, value in form:
        lines += [f"--{_BOUNDARY}", f'Content-Disposition: form-data; name="{name}"', "", value]
    body = "\r\n".join([*lines, f"--{_BOUNDARY}--", ""])
    return _send(target, headers, f"multipart/form-data; boundary={_BOUNDARY}", body)
